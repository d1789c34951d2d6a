package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// notesName is the file with the notes of the release, which whoever publishes
// it pastes.
const notesName = "notes.md"

// notes writes what CHANGELOG.md says of the version.
func (r *release) notes() error {
	changes, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	text, err := section(string(changes), r.version)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, notesName), []byte(text), 0o644)
}

// section is what the changes say of a version. One that is not published yet,
// such as v1.2.3-4-gabc, has what is at the top.
func section(changes, version string) (string, error) {
	_, rest, found := strings.Cut("\n"+changes, "\n## "+strings.TrimPrefix(version, "v")+" ")
	if !found && !strings.Contains(version, "-") {
		return "", fmt.Errorf("CHANGELOG.md has no section for %s: a line such as \"## %s (2026-01-31)\"", version, strings.TrimPrefix(version, "v"))
	}
	if !found {
		if _, rest, found = strings.Cut("\n"+changes, "\n## "); !found {
			return "", errors.New("CHANGELOG.md has no section")
		}
	}
	_, rest, _ = strings.Cut(rest, "\n") // of the heading
	text, _, _ := strings.Cut(rest, "\n## ")
	return strings.TrimSpace(text) + "\n", nil
}
