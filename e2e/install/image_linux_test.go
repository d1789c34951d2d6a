package install

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A builder builds and looks at images, in a store of its own.
type builder struct {
	t     *testing.T
	store string
}

func newBuilder(t *testing.T) builder {
	t.Helper()
	dist(t)
	_, err := exec.LookPath("buildah")
	need(t, err == nil, "there is no buildah: apt-get install buildah")
	need(t, os.Geteuid() == 0, "only root builds images here")
	b := builder{t, t.TempDir()}
	t.Cleanup(func() {
		if out, err := b.command("umount", "--all").CombinedOutput(); err != nil {
			t.Errorf("buildah umount: %v\n%s", err, out)
		}
	})
	return b
}

func (b builder) command(args ...string) *exec.Cmd {
	return exec.Command("buildah", append([]string{"--root=" + filepath.Join(b.store, "root"), "--runroot=" + filepath.Join(b.store, "run"), "--storage-driver=vfs"}, args...)...)
}

// do returns what buildah prints.
func (b builder) do(args ...string) string {
	b.t.Helper()
	command := b.command(args...)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		b.t.Fatalf("buildah %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// An imageConfig is what Docker knows of an image.
type imageConfig struct {
	Docker struct {
		Config struct {
			User        string
			Entrypoint  []string
			Cmd         []string
			Env         []string
			Volumes     map[string]struct{}
			Healthcheck struct{ Test []string }
		} `json:"config"`
	}
}

func TestImageHoldsTheProgramAlone(t *testing.T) {
	b := newBuilder(t)
	archive := strings.TrimPrefix(filepath.Base(one(t, "_linux_"+runtime.GOARCH+".tar.gz")), "belfry_")
	version := strings.TrimSuffix(archive, "_linux_"+runtime.GOARCH+".tar.gz")
	context := t.TempDir() // with the same names as in the sources, and what dist has
	output(t, "cp", "-r", "../../packaging", context)
	if err := os.MkdirAll(filepath.Join(context, "bin", "dist"), 0o755); err != nil {
		t.Fatal(err)
	}
	copyTo(t, filepath.Join(context, "bin", "dist"), one(t, "_linux_"+runtime.GOARCH+".tar.gz"))
	b.do("build", "--isolation=chroot", "--format=docker", "--tag=belfry", "--file="+filepath.Join(context, "packaging/docker/Dockerfile"), "--build-arg=VERSION="+version, context)

	var image imageConfig
	if err := json.Unmarshal([]byte(b.do("inspect", "--type=image", "belfry")), &image); err != nil {
		t.Fatal(err)
	}
	c := image.Docker.Config
	if _, kept := c.Volumes["/var/lib/belfry"]; !kept || c.User != "65532:65532" || !slices.Equal(append(c.Entrypoint, c.Cmd...), []string{"/usr/bin/belfry", "serve"}) ||
		!slices.Equal(c.Healthcheck.Test, []string{"CMD", "/usr/bin/belfry", "health"}) {
		t.Errorf("the image is %+v", c)
	}
	root := b.do("mount", b.do("from", "belfry"))
	info, err := os.Stat(filepath.Join(root, "var", "lib", "belfry"))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != 65532 {
		t.Errorf("/var/lib/belfry is not that of the user: %v", err)
	}
	for _, name := range []string{"bin", "usr/bin/sh", "lib", "lib64"} {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			t.Errorf("there is /%s, and nothing but the program is needed", name)
		}
	}
	runImage(t, root, c.User, c.Env, append(c.Entrypoint, c.Cmd...), c.Healthcheck.Test[1:])
}

// runImage runs the program of an image as Docker does: in its files, as its
// user, with its variables, and with a network of its own. There it sees an
// event, with the credentials of the first app.
func runImage(t *testing.T, root, user string, env, program, health []string) {
	t.Helper()
	_, err := exec.LookPath("unshare")
	need(t, err == nil, "there is no unshare")
	chroot, err := exec.LookPath("chroot")
	need(t, err == nil, "there is no chroot")
	inImage := "env -i " + strings.Join(env, " ") + " " + chroot + " --userspec=" + user + " " + strconv.Quote(root) + " "
	script := "set -eu\nip link set lo up\n" +
		inImage + strings.Join(program, " ") + " >service.log 2>&1 &\nservice=$!\n" +
		"until " + inImage + strings.Join(health, " ") + "; do sleep 0.2; done\n" +
		"export $(grep BELFRY_URL " + strconv.Quote(root) + "/var/lib/belfry/first-app.env)\n" +
		"inside() { env -i BELFRY_URL=$BELFRY_URL " + chroot + " --userspec=" + user + " " + strconv.Quote(root) + " /usr/bin/belfry \"$@\"; }\n" +
		"inside subscribe news --count 1 >seen 2>said &\nuntil grep -q 'subscribed to news' said; do sleep 0.2; done\n" +
		"inside trigger news hello '{\"text\": \"hi\"}'\nuntil grep -q hi seen; do sleep 0.2; done\ncat seen\nkill $service\nwait $service\necho ended well"
	command := exec.CommandContext(t.Context(), "timeout", "--signal=KILL", "60", "unshare", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", script)
	command.Dir = t.TempDir()
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), seen) || !strings.HasSuffix(string(out), "ended well\n") {
		t.Errorf("the image did not show an event: %v\n%s\n%s", err, out, contents(filepath.Join(command.Dir, "service.log")))
	}
}
