package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/importer"
	"github.com/belfryhq/belfry/internal/config"
)

// An importCommand is belfry import.
type importCommand struct {
	cli.Streams
	options importer.Options
	output  string
	dry     bool
}

func newImport(s cli.Streams) *cobra.Command {
	i := &importCommand{Streams: s}
	command := &cobra.Command{
		Use:   "import soketi|reverb|laravel-websockets|pusher [FILE...]",
		Short: "Make a belfry.yaml of the files of another server",
		Long: `Reads the configuration of another server and writes a belfry.yaml that does the
same: with its apps and keys, its port, and its defaults where they differ from ours.
It says which settings have no counterpart and what will behave differently.

It takes .env files, soketi's JSON, config/reverb.php and config/websockets.php, and
dumps of the table of apps: of mysqldump, pg_dump, or a scan of DynamoDB. Without
files it reads .env and, if they are there, the files of Laravel in config. PHP is not
run: what would have to be is named.

Nothing is overwritten. --dry-run writes nothing, and shows what would be written
without its secrets.`,
		Example: `  belfry import soketi --dry-run
  belfry import soketi .env config.json --output /etc/belfry.yaml
  mysqldump soketi apps > apps.sql && belfry import soketi .env apps.sql
  aws dynamodb scan --table-name apps > apps.json && belfry import soketi .env apps.json
  belfry import reverb .env config/reverb.php`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("import from which server? %s", strings.Join(importer.Servers, ", "))
			}
			return nil
		},
		ValidArgs: importer.Servers,
		RunE: func(_ *cobra.Command, args []string) error {
			return i.run(args[0], args[1:])
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVarP(&i.output, "output", "o", "belfry.yaml", "the `file` to write; it must not be there")
	flags.BoolVar(&i.dry, "dry-run", false, "write nothing; show what would be written")
	flags.StringVar(&i.options.Table, "table", "", "`name` of the table of apps in a dump, if it is not apps")
	flags.BoolVar(&i.options.DefaultCredentials, "allow-default-credentials", false, "take soketi's app-id, app-key and app-secret, which everybody knows")
	return command
}

func (i *importCommand) run(server string, files []string) error {
	if len(files) == 0 {
		files = filesThere(".env", map[string]string{"reverb": "config/reverb.php", "laravel-websockets": "config/websockets.php"}[server])
		if len(files) == 0 {
			return cli.Usagef("there is no .env here; name the files of %s", server)
		}
	}
	if _, err := os.Lstat(i.output); err == nil && !i.dry {
		return fmt.Errorf("%s is there already, and is not overwritten; choose another name with --output", i.output)
	}
	i.options.Server = server
	for _, name := range files {
		text, err := readAtMost(name, importer.MaxFile+1)
		if err != nil {
			return err
		}
		i.options.Files = append(i.options.Files, importer.File{Name: name, Text: text})
	}
	result, err := importer.Import(i.options)
	if err != nil {
		return fmt.Errorf("nothing was written\n%w", err)
	}
	i.notes(result)
	if i.dry {
		return i.show(result)
	}
	return i.write(result)
}

// filesThere are those of names that exist.
func filesThere(names ...string) []string {
	var there []string
	for _, name := range names {
		if info, err := os.Stat(name); name != "" && err == nil && info.Mode().IsRegular() {
			there = append(there, name)
		}
	}
	return there
}

// readAtMost reads the beginning of a file.
func readAtMost(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// notes says what does not come along.
func (i *importCommand) notes(r *importer.Result) {
	if len(r.Lost) > 0 {
		fmt.Fprintln(i.Err, "Settings that have no counterpart:")
		for _, n := range r.Lost {
			fmt.Fprintf(i.Err, "  %s\n", n)
		}
	}
	if len(r.Different) > 0 {
		fmt.Fprintln(i.Err, "What will behave differently:")
		for _, n := range r.Different {
			fmt.Fprintf(i.Err, "  %s\n", n)
		}
	}
}

// show prints what would be written.
func (i *importCommand) show(r *importer.Result) error {
	shown, err := r.YAML(false)
	if err != nil {
		return err
	}
	if _, err := i.Out.Write(shown); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "belfry-import-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	name, err := temporaryFile(r, dir)
	if err != nil {
		return err
	}
	if err := i.mistakes(name); err != nil {
		return err
	}
	fmt.Fprintf(i.Err, "%s; nothing was written. Without --dry-run it goes to %s.\n", countApps(r.Apps), i.output)
	return nil
}

// write makes the file under its own name once it is complete.
func (i *importCommand) write(r *importer.Result) error {
	temporary, err := temporaryFile(r, filepath.Dir(i.output))
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	if err := os.Link(temporary, i.output); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and is not overwritten; choose another name with --output", i.output)
	} else if err != nil {
		return err
	}
	fmt.Fprintf(i.Err, "%s; %s was written, and only you can read it.\n", countApps(r.Apps), i.output)
	if err := i.mistakes(i.output); err != nil {
		return err
	}
	fmt.Fprintf(i.Err, "Next: belfry serve --config %s\n", i.output)
	return nil
}

func countApps(n int) string {
	if n == 1 {
		return "1 app"
	}
	return fmt.Sprintf("%d apps", n)
}

// temporaryFile makes a file file in dir that only its user can read.
func temporaryFile(r *importer.Result, dir string) (name string, err error) {
	text, err := r.YAML(true)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, ".belfry-import-*.yaml")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// mistakes says what belfry serve would not take, such as a certificate that
// is on another machine.
func (i *importCommand) mistakes(name string) error {
	_, err := config.Load(config.Source{File: name})
	if problems, ok := errors.AsType[config.Problems](err); ok {
		for n := range problems {
			if problems[n].Place.Source == name {
				problems[n].Place.Source = i.output
			}
		}
		return fmt.Errorf("what was made of the files has mistakes; mend them there, and ask belfry check\n%w", errors.New(problems.Error()))
	}
	return err
}

// fileOf is the file that source is read from.
func fileOf(source config.Source) string {
	if source.File != "" {
		return source.File
	}
	for _, v := range source.Environ {
		if name, ok := strings.CutPrefix(v, "BELFRY_CONFIG="); ok {
			return name
		}
	}
	return ""
}

// foreign turns what is wrong with the file of another server into advice.
func foreign(file string, err error) error {
	if err == nil || file == "" {
		return err
	}
	text, readErr := readAtMost(file, 1<<20)
	if readErr != nil {
		return err
	}
	if server := importer.Recognize(text); server != "" {
		return fmt.Errorf("%s is a file of %s and no configuration of Belfry; belfry import %s %s makes a belfry.yaml of it", file, server, server, file)
	}
	return err
}
