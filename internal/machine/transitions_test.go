package machine

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"sync"
	"testing"
)

// step is a change of a connection's state.
type step struct{ from, to string }

var stateNames = [...]string{opening: "opening", verifying: "verifying", welcomed: "welcomed", live: "live", closed: "closed"}

// steps are the changes of state in all tests of this package.
var steps struct {
	sync.Mutex
	taken map[step]int
}

// TestMain holds every change of state in every test to the table of the package comment. Where all
// tests have run and passed, each line of the table must have happened.
func TestMain(m *testing.M) {
	steps.taken = make(map[step]int)
	transition = func(from, to state) {
		steps.Lock()
		defer steps.Unlock()
		steps.taken[step{stateNames[from], stateNames[to]}]++
	}
	code := m.Run()
	if err := compare(code == 0 && all()); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// all reports whether the command line asks for every test.
func all() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz", "test.bench"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}

// table returns the changes of state in the package comment.
func table() (map[step]bool, error) {
	doc, err := os.ReadFile("doc.go")
	drawn := make(map[step]bool)
	for _, m := range regexp.MustCompile(`(?m)^//\t(\w+) +→ (\w+) `).FindAllSubmatch(doc, -1) {
		drawn[step{string(m[1]), string(m[2])}] = true
	}
	return drawn, err
}

// The table names every state but for the first one as one that is reached. (And since a test has
// read it, no result of TestMain is reused after the table has changed.)
func TestTable(t *testing.T) {
	drawn, err := table()
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{stateNames[opening]: true}
	for s := range drawn {
		reached[s.to] = true
	}
	if len(reached) != len(stateNames) {
		t.Errorf("the table reaches %v", reached)
	}
}

// compare returns an error if a change of state is not in the table, or, if every one must have
// happened, one in the table has not.
func compare(every bool) error {
	drawn, err := table()
	if err != nil {
		return nil // a fuzz worker's folder
	}
	steps.Lock()
	defer steps.Unlock()
	for s, n := range steps.taken {
		if !drawn[s] {
			return fmt.Errorf("%s → %s has happened %d times and is not in the table of doc.go", s.from, s.to, n)
		}
	}
	for s := range drawn {
		if every && steps.taken[s] == 0 {
			return fmt.Errorf("%s → %s is in the table of doc.go and has not happened", s.from, s.to)
		}
	}
	return nil
}
