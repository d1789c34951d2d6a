package cli

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestAFlagWorksUnderItsFormerNameWithAWarning(t *testing.T) {
	var warnings strings.Builder
	flags := pflag.NewFlagSet("list", pflag.ContinueOnError)
	dead := flags.Bool("dead-letters", false, "list dead letters")
	Renamed(flags, &warnings, map[string]string{"given-up": "dead-letters"})
	if err := flags.Parse([]string{"--given-up"}); err != nil || !*dead || !flags.Changed("dead-letters") {
		t.Errorf("Parse: %v, dead-letters = %v", err, *dead)
	}
	if want := "warning: --given-up is called --dead-letters now; the former name still works\n"; warnings.String() != want {
		t.Errorf("warnings = %q, want %q", &warnings, want)
	}
	if usage := flags.FlagUsages(); strings.Contains(usage, "given-up") {
		t.Errorf("the help has the former name:\n%s", usage)
	}
}
