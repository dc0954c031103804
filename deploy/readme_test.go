package deploy

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// README.md names what there is: each role with both ids, each placeholder, each path, each file, and every
// variable that has to be given has a description.
func TestReadme(t *testing.T) {
	t.Parallel()
	read, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(read)
	c := needRender(t, folders[0])
	var want []string
	for _, a := range c.of("ServiceAccount") {
		if slices.Contains(notRoles, a.name()) {
			want = append(want, fmt.Sprintf("| %s | %s | `cluster.local/ns/%[2]s/sa/%[1]s` | none | nothing |", a.name(), a.namespace()))
			continue
		}
		want = append(want, fmt.Sprintf("| %s | %s | `cluster.local/ns/%[2]s/sa/%[1]s` | `spiffe://game.example/role/%[1]s` |", a.name(), a.namespace()))
	}
	for _, p := range c.pods() {
		for _, o := range p.containers() {
			image, _, _ := strings.Cut(o.text("image"), ":")
			want = append(want, "`"+image+"`")
		}
	}
	for path := range wanted(t) {
		_, port, _ := strings.Cut(path.port, " ")
		row := regexp.MustCompile(`(?m)^\| ([a-z, -]+) \| ` + path.to + ` \| TCP ` + port)
		if !slices.ContainsFunc(row.FindAllStringSubmatch(text, -1), func(m []string) bool {
			return slices.Contains(strings.Split(m[1], ", "), path.from)
		}) {
			t.Errorf("README.md has no row for %v", path)
		}
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("README.md does not say %q", w)
		}
	}
	for _, l := range regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(l[1]); err != nil {
			t.Error(err)
		}
	}
	for _, p := range published {
		if p.sum == "" || p.version == "" {
			t.Errorf("%+v is not pinned", published)
		}
	}
}
