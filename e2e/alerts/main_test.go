package alerts

import (
	"os"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

func TestMain(m *testing.M) { os.Exit(service.Main(m)) }
