package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// program returns the path of a program of Debian's package prometheus.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if err = testkit.Install("prometheus"); err == nil {
			path, err = exec.LookPath(name)
		}
	}
	testkit.Need(t, err)
	return path
}

// "promtool test rules": each alert is raised by what it is for, and not by what is just below.
func TestRules(t *testing.T) {
	t.Parallel()
	promtool := program(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "sallyport.rules.yml"}, {"test", "rules", "sallyport.rules.test.yml"}, {"check", "config", "prometheus.yml"}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// prometheus is a Prometheus process that scrapes one target each second.
type prometheus struct {
	url string
	log testkit.Console
}

func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	path := program(t, "prometheus")
	rules, err := filepath.Abs("sallyport.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n  - job_name: sallyport\n    static_configs: [{targets: [%q]}]\n", rules, target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + testkit.FreePort(t)
	p := &prometheus{url: "http://" + address}
	cmd := exec.Command(path, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // killed
		if t.Failed() {
			t.Log(p.log.String())
		}
	})
	for ctx, cancel := context.WithTimeout(t.Context(), time.Minute); ; time.Sleep(50 * time.Millisecond) {
		defer cancel()
		if r, err := http.Get(p.url + "/-/ready"); err == nil {
			r.Body.Close() //nolint:errcheck // read to no end
			if r.StatusCode == http.StatusOK {
				return p
			}
		}
		if ctx.Err() != nil {
			t.Fatalf("Prometheus does not get ready: %s", p.log.String())
		}
	}
}

// api asks Prometheus, and decodes the answer's data.
func (p *prometheus) api(t *testing.T, path string, query url.Values, data any) {
	t.Helper()
	r, err := http.Get(p.url + "/api/v1/" + path + "?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close() //nolint:errcheck // read
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Status != "success" {
		t.Errorf("%v: %s", query, answer.Error)
	}
}

// values returns what an expression is now, numbers only.
func (p *prometheus) values(t *testing.T, expr string) (list []float64) {
	t.Helper()
	var data struct{ Result []struct{ Value [2]any } }
	p.api(t, "query", url.Values{"query": {expr}}, &data)
	for _, r := range data.Result {
		text, _ := r.Value[1].(string)
		if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) {
			list = append(list, v)
		}
	}
	return list
}

// await waits until every expression has data.
func (p *prometheus) await(t *testing.T, exprs map[string]string) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		for name, expr := range exprs {
			if len(p.values(t, expr)) > 0 {
				delete(exprs, name)
			}
		}
		if len(exprs) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for name, expr := range exprs {
				t.Errorf("%s: no data for %s", name, expr)
			}
			return
		}
	}
}

// rule is one of Prometheus' as it has read them.
type rule struct {
	Name, Query, Type, Health, LastError string
	Labels, Annotations                  map[string]string
}

func (p *prometheus) rules(t *testing.T) (list []rule) {
	t.Helper()
	var data struct{ Groups []struct{ Rules []rule } }
	p.api(t, "rules", nil, &data)
	if len(data.Groups) > 1 {
		t.Errorf("%d groups: an alert in another one than its recorded rule is raised a round late, or not", len(data.Groups))
	}
	for _, g := range data.Groups {
		list = append(list, g.Rules...)
	}
	return list
}

// comparison cuts an alert's expression before its threshold.
func comparison(expr string) (left string, ok bool) {
	for _, operator := range []string{" == ", " > ", " < "} {
		if i := strings.LastIndex(expr, operator); i >= 0 {
			return expr[:i], true
		}
	}
	return expr, false
}

// panels returns the expressions of the dashboard, with what Grafana puts in place of its variables.
func panels(t *testing.T) map[string]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title, Type string
			Targets     []struct{ RefID, Expr string }
		}
	}
	b, err := os.ReadFile("grafana.json")
	if err == nil {
		err = json.Unmarshal(b, &dashboard)
	}
	if err != nil {
		t.Fatal(err)
	}
	exprs := make(map[string]string)
	variables := strings.NewReplacer("$__rate_interval", "1m", "$job", "sallyport", "$instance", ".*")
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			exprs["panel "+p.Title+" "+target.RefID] = variables.Replace(target.Expr)
		}
	}
	if len(exprs) < 40 {
		t.Fatalf("%d expressions: has the dashboard another form?", len(exprs))
	}
	return exprs
}

// A Prometheus process scrapes a server with players on it. Each expression of the dashboard, each
// rule, and what each alert compares with its threshold, returns data; docs/deploy.md has a row for
// each alert, with what to do.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	m := newMatch(t)
	p := startPrometheus(t, m.metrics)
	m.play()
	exprs := panels(t)
	var table strings.Builder
	table.WriteString("| alert | severity | meaning | what to do |\n|---|---|---|---|\n")
	alerts := 0
	for deadline := time.Now().Add(20 * time.Second); alerts == 0; time.Sleep(100 * time.Millisecond) {
		for _, r := range p.rules(t) {
			if r.Type == "recording" {
				exprs["rule "+r.Name] = r.Name
				continue
			}
			alerts++
			left, ok := comparison(r.Query)
			if !ok || r.Annotations["do"] == "" || r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
				t.Errorf("%+v", r)
			}
			exprs["alert "+r.Name] = left
			fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", r.Name, r.Labels["severity"], r.Annotations["summary"], r.Annotations["do"])
		}
		if time.Now().After(deadline) {
			t.Fatal("Prometheus has no rules")
		}
	}
	document, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(document), "\n\n"+table.String()+"\n") {
		t.Errorf("docs/deploy.md lacks this table:\n%s", table.String())
	}
	tests, err := os.ReadFile("sallyport.rules.test.yml")
	if err != nil {
		t.Fatal(err)
	}
	p.await(t, exprs)
	for _, r := range p.rules(t) {
		if r.Health != "ok" {
			t.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
		}
		if r.Type == "alerting" && strings.Count(string(tests), "alertname: "+r.Name+"\n") < 2 {
			t.Errorf("%s has no unit test that raises it and one that does not", r.Name)
		}
	}
	if got := p.values(t, "sum(sallyport_sessions)"); len(got) != 1 || got[0] < players {
		t.Errorf("%v sessions, at least %d are there", got, players)
	}
	metrics := m.text(t)
	check := exec.Command(program(t, "promtool"), "check", "metrics")
	check.Stdin = strings.NewReader(metrics)
	if out, _ := check.CombinedOutput(); strings.Contains(string(out), "sallyport_") { // the Go runtime's are not ours
		t.Errorf("promtool check metrics: %s", out)
	}
}
