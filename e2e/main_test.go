package e2e

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// atOnce is how many tests run at a time: most of what they do is to wait for
// other processes.
const atOnce = "6"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	flag.Parse() // the command line has the last word
	os.Exit(service.Main(m))
}
