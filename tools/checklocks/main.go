// Checklocks is gVisor's analyzer of locks as a tool of go vet, which keeps what the analyzer found of
// a package until that changes:
//
//	go vet -vettool=.bin/checklocks ./...
//
// Only annotations make a finding or a fact, and only this repository's packages have any. So the
// others are read for their types alone. Files of tests, which look inside at rest, are not looked at,
// and fields that only look guarded not asked about.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis/unitchecker"
	"gvisor.dev/gvisor/tools/checklocks"
)

// ours begins the import path of each of the repository's packages.
const ours = "github.com/sallyport/sallyport"

func main() {
	if err := checklocks.Analyzer.Flags.Set("inferred", "false"); err != nil {
		fail(err)
	}
	last := len(os.Args) - 1
	if !strings.HasSuffix(os.Args[last], ".cfg") {
		unitchecker.Main(checklocks.Analyzer) // go vet asks for the version and the flags
	}
	u, err := read(os.Args[last])
	if err != nil {
		fail(err)
	}
	if !strings.HasPrefix(u.ImportPath, ours) {
		unitchecker.Run(os.Args[last], nil)
	}
	if err := u.code(); err != nil {
		fail(err)
	}
	if len(u.GoFiles) == 0 { // a package of tests, which no other imports
		if err := os.WriteFile(u.VetxOutput, nil, 0o666); err != nil {
			fail(err)
		}
		return
	}
	if os.Args[last], err = u.write(os.Args[last]); err != nil {
		fail(err)
	}
	unitchecker.Main(checklocks.Analyzer)
}

// unit is go vet's description of a package.
type unit struct {
	unitchecker.Config
	all map[string]json.RawMessage // with fields that Config may lack
}

func read(name string) (*unit, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	u := new(unit)
	if err := json.Unmarshal(data, &u.Config); err != nil {
		return nil, err
	}
	return u, json.Unmarshal(data, &u.all)
}

// code leaves out the files of tests.
func (u *unit) code() (err error) {
	u.GoFiles = slices.DeleteFunc(u.GoFiles, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
	u.all["GoFiles"], err = json.Marshal(u.GoFiles)
	return err
}

// write writes the description beside the one of this name, and returns its own name.
func (u *unit) write(name string) (string, error) {
	data, err := json.Marshal(u.all)
	if err != nil {
		return "", err
	}
	name = strings.TrimSuffix(name, ".cfg") + "-code.cfg"
	return name, os.WriteFile(name, data, 0o600)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "checklocks:", err)
	os.Exit(1)
}
