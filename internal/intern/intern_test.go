package intern

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestSameTextHasOneNumberWhileItIsUsed(t *testing.T) {
	var table Table
	a, b := table.Take("https://a.example"), table.Take("https://b.example")
	if a == b || table.Take("https://a.example") != a {
		t.Fatalf("numbers %d and %d, want two", a, b)
	}
	table.Drop(a)
	if got := table.Text(a); got != "https://a.example" {
		t.Errorf("Text = %q after one of two has dropped it", got)
	}
	table.Drop(a)
	if c := table.Take("https://c.example"); c != a || table.Text(c) != "https://c.example" {
		t.Errorf("a number that nobody uses is not given again: %d, want %d", c, a)
	}
	if got := table.Text(b); got != "https://b.example" {
		t.Errorf("Text = %q", got)
	}
	if table.Take("") != None || table.Text(None) != "" {
		t.Error("the empty text is not None")
	}
}

// TestTextsThatAreMadeUpAreBounded: whoever makes up many fills the table, and
// only while he stays.
func TestTextsThatAreMadeUpAreBounded(t *testing.T) {
	var table Table
	var refs []Ref
	for i := range MaxTexts {
		refs = append(refs, table.Take(fmt.Sprint("made up ", i)))
	}
	late := table.Take("honest")
	if late != Other || table.Text(late) != OtherText {
		t.Errorf("a text beyond the bound is %d %q", late, table.Text(late))
	}
	table.Drop(late)
	for _, r := range refs {
		table.Drop(r)
	}
	if r := table.Take("honest"); table.Text(r) != "honest" {
		t.Errorf("Text = %q after all others are gone", table.Text(r))
	}
	if len(table.entries) != MaxTexts {
		t.Errorf("%d entries, want %d", len(table.entries), MaxTexts)
	}
}

func TestLongAndBrokenTextsAreCut(t *testing.T) {
	var table Table
	if got := table.Text(table.Take(strings.Repeat("é", MaxText))); got != strings.Repeat("é", MaxText/2) {
		t.Errorf("Text has %d bytes", len(got))
	}
	if got := table.Text(table.Take("a\xffb")); got != "a\uFFFDb" {
		t.Errorf("Text = %q", got)
	}
}

func TestTableIsSafeForManyAtOnce(t *testing.T) {
	var table Table
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				text := fmt.Sprint(i % 7)
				r := table.Take(text)
				if got := table.Text(r); got != text {
					t.Errorf("Text = %q, want %q", got, text)
				}
				table.Drop(r)
			}
		})
	}
	wg.Wait()
	if len(table.refs) != 0 {
		t.Errorf("%d texts are left", len(table.refs))
	}
}

func BenchmarkTakeAndDrop(b *testing.B) {
	var table Table
	table.Take("https://a.example")
	for b.Loop() {
		table.Drop(table.Take("https://a.example"))
	}
}
