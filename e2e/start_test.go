package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	ours "github.com/belfryhq/belfry/backend" // backend is a type here
	"github.com/belfryhq/belfry/e2e/service"
)

// The pages of docs/start name these ports: of belfry dev, and of the reader's
// own program. Tests put free ones in their place.
const (
	devPort    = "6001"
	readerPort = "3000"
)

// A reader follows one page of docs/start.
type reader struct {
	t    testing.TB
	svc  *service.Service
	dir  string // has the files of the page
	addr string // of the reader's program
	to   string // where that finds the service
}

// read starts belfry dev, and writes the files of a section of a page.
func read(t testing.TB, page, section string) *reader {
	t.Helper()
	r := begin(t)
	r.dir = r.write(page, section)
	return r
}

// begin starts belfry dev for somebody who has not read anything yet.
func begin(t testing.TB) *reader {
	t.Helper()
	svc := service.StartDev(t)
	return &reader{t: t, svc: svc, addr: fmt.Sprint("127.0.0.1:", service.FreePorts(t, 1)[0]), to: svc.Addr}
}

// write writes the files of a section, and has the ports of this test in them.
func (r *reader) write(page, section string) (dir string) {
	r.t.Helper()
	dir = writePage(r.t, "docs/start/"+page, section)
	ports := strings.NewReplacer(devPort, strconv.Itoa(port(r.to)), readerPort, strconv.Itoa(port(r.addr)))
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(name, []byte(ports.Replace(string(text))), 0o600)
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return dir
}

// file writes a file that the page takes for granted.
func (r *reader) file(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// run starts the reader's program in dir, until the test ends.
func (r *reader) run(dir string, command ...string) *service.Output {
	r.t.Helper()
	out := new(service.Output)
	c := exec.Command(command[0], command[1:]...)
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, service.Environment(), out, out
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		c.Process.Kill()
		c.Wait() // which was killed
		if r.t.Failed() {
			r.t.Logf("%v wrote\n%s", command, out)
		}
	})
	return out
}

// poll asks until it is so.
func (r *reader) poll(otherwise string, ask func(context.Context) bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !ask(ctx) {
		select {
		case <-ctx.Done():
			r.t.Fatal(otherwise)
		case <-again.C:
		}
	}
}

// awaitSubscribers waits until that many are subscribed to the channel of all
// pages.
func (r *reader) awaitSubscribers(n int) *ours.Client {
	r.t.Helper()
	c, err := ours.NewFromURL("http://app-key:app-secret@"+r.svc.Addr+"/apps/1", ours.Config{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.CloseIdleConnections)
	r.poll("nobody subscribes to private-orders", func(ctx context.Context) bool {
		info, err := c.Channel(ctx, "private-orders", ours.SubscriptionCount)
		return err == nil && info.SubscriptionCount != nil && *info.SubscriptionCount == n
	})
	return c
}

// announces is a page that listens, whose front end asks the reader's program
// for authorization. Then the program is told of an order, and announces it.
func (r *reader) announces(authPath, orders string) {
	r.t.Helper()
	service.AwaitListening(r.t, r.addr)
	b := openBrowser(r.t, r.svc, "")
	options := b.options(nil)
	auth := func(path string) map[string]any {
		return map[string]any{"endpoint": "http://" + r.addr + path, "transport": "ajax"}
	}
	options["channelAuthorization"] = auth(authPath)
	ann := b.Start("ann", service.Key, options)
	ann.AwaitState("connected")
	ann.Subscribe("private-orders")
	ann.Subscribe("presence-room")
	r.post(orders)
	ann.AwaitData("private-orders", "created", map[string]any{"id": 17.0})
}

// post tells the program of an order.
func (r *reader) post(path string) {
	r.t.Helper()
	request, err := http.NewRequest(http.MethodPost, "http://"+r.addr+path, strings.NewReader(`{"id":17}`))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if status, text := roundTrip(r.t, request); status != http.StatusCreated {
		r.t.Fatalf("POST %s = %d %s", path, status, text)
	}
}

func TestStartWithAScript(t *testing.T) {
	t.Parallel()
	requireChromium(t)
	r := read(t, "javascript.md", "As a script")
	site := httptest.NewServer(http.FileServer(http.Dir(r.dir)))
	defer site.Close()
	page := startNode(t, "site.mjs", "", func(seen) {})
	defer page.must("close", nil, nil)
	page.must("visit", map[string]any{"url": site.URL + "/index.html"}, nil)
	if _, err := r.awaitSubscribers(1).Trigger(t.Context(), "private-orders", "created", map[string]int{"id": 17}); err != nil {
		t.Fatal(err)
	}
	page.must("await", map[string]any{
		"script": `document.getElementById("orders").textContent`, "want": "Order 17", "patience": service.Patience.Milliseconds(),
	}, nil)
}

func TestStartWithAModule(t *testing.T) {
	t.Parallel()
	r := read(t, "javascript.md", "As a module")
	linkModules(t, r.dir)
	out := r.run(r.dir, "node", "main.mjs")
	if _, err := r.awaitSubscribers(1).Trigger(t.Context(), "private-orders", "created", map[string]int{"id": 17}); err != nil {
		t.Fatal(err)
	}
	out.Await(t, "Order 17\n")
}

func TestStartWithExpress(t *testing.T) {
	t.Parallel()
	r := read(t, "node.md", "Express")
	linkModules(t, r.dir)
	r.run(r.dir, "node", "server.mjs")
	r.announces("/pusher/auth", "/orders")
}

// TestStartWithNext has a small server in place of Next.js, which calls the
// handlers of the page as that does: with a Request, by path and method.
func TestStartWithNext(t *testing.T) {
	t.Parallel()
	r := read(t, "node.md", "Next.js")
	linkModules(t, r.dir)
	r.file("package.json", `{"type":"module"}`)
	r.file("next.mjs", `
import { createServer } from "node:http"
import { Readable } from "node:stream"
const [port] = process.argv.slice(2)
createServer(async (incoming, outgoing) => {
  const route = await import("." + "/app" + incoming.url + "/route.js")
  const request = new Request("http://127.0.0.1" + incoming.url, {
    method: incoming.method, headers: incoming.headers, body: Readable.toWeb(incoming), duplex: "half",
  })
  const response = await route[incoming.method](request)
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  outgoing.end(await response.text())
}).listen(Number(port), "127.0.0.1")
`)
	r.run(r.dir, "node", "next.mjs", strconv.Itoa(port(r.addr)))
	r.announces("/api/pusher/auth", "/api/orders")
}

func TestStartWithDjango(t *testing.T) {
	t.Parallel()
	python := requireProgram(t, venv+"/bin/python")
	requireProgram(t, venv+"/bin/django-admin")
	r := read(t, "python.md", "Django")
	r.file("settings.py", "SECRET_KEY = 'of-tests'\nALLOWED_HOSTS = ['*']\nROOT_URLCONF = 'shop.urls'\nUSE_TZ = True\n")
	r.file("shop/__init__.py", "")
	r.run(r.dir, python, "-m", "django", "runserver", "--noreload", "--pythonpath", r.dir, "--settings", "settings", r.addr)
	r.announces("/pusher/auth", "/orders")
}

// build compiles a program, with the libraries of this module.
func (r *reader) build(dir, file string) string {
	r.t.Helper()
	program := filepath.Join(dir, "program")
	if out, err := exec.Command("go", "build", "-o", program, filepath.Join(dir, file)).CombinedOutput(); err != nil {
		r.t.Fatalf("build %s: %v\n%s", file, err, out)
	}
	return program
}

func TestStartWithGo(t *testing.T) {
	t.Parallel()
	r := read(t, "go.md", "Backend")
	r.run(r.dir, r.build(r.dir, "server.go"))
	r.announces("/pusher/auth", "/orders")
	client := r.write("go.md", "Client")
	out := r.run(client, r.build(client, "client.go"))
	r.awaitSubscribers(2)
	r.post("/orders")
	out.Await(t, `created {"id":17}`)
}

// jars has the libraries for Java, if scripts/setup could fetch them.
const jars = "java/lib"

func TestStartWithJava(t *testing.T) {
	t.Parallel()
	path, err := filepath.Abs(jars)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(path, "installed")); err != nil {
		t.Skip("the libraries for Java are not installed: scripts/setup fetches them where there are java and mvn")
	}
	r := read(t, "java.md", "Backend")
	r.run(r.dir, "java", "-cp", path+"/*", "Server.java")
	r.announces("/pusher/auth", "/orders")
	client := r.write("java.md", "Client")
	out := r.run(client, "java", "-cp", path+"/*", "Client.java")
	r.awaitSubscribers(2)
	r.post("/orders")
	out.Await(t, `created {"id":17}`)
}
