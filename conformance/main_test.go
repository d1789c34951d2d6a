package conformance

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"
)

// manyAtOnce is how many statements run at a time: most of them wait for a
// clock or for the server, not for a processor.
const manyAtOnce = "32"

func TestMain(m *testing.M) {
	flag.Parse()
	if !flagGiven("test.parallel") {
		if err := flag.Set("test.parallel", manyAtOnce); err != nil {
			fmt.Fprintln(os.Stderr, "conformance:", err)
			os.Exit(2)
		}
	}
	if err := target.open(); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	apiClient = newAPIClient(&http.Transport{MaxIdleConnsPerHost: 64})
	code := m.Run()
	apiClient.CloseIdleConnections()
	if err := target.close(); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		code = max(code, 1)
	}
	if code != 0 {
		target.printLogs(os.Stderr)
	}
	target.remove()
	outcomes.report(os.Stdout, webSocketChecklist())
	outcomes.report(os.Stdout, httpChecklist())
	os.Exit(code)
}

// flagGiven reports whether the flag stands on the command line.
func flagGiven(name string) bool {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}
