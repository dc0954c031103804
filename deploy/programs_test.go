package deploy

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/conf"
	"go.yaml.in/yaml/v3"
)

// sources parses the Go files of a folder of the repository that are no tests, and of those below it.
func sources(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join("..", dir), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		files = append(files, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// texts returns the constants of a package that are strings.
func constants(files []*ast.File) map[string]string {
	found := map[string]string{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				for i, name := range v.Names {
					if i < len(v.Values) {
						if l, ok := v.Values[i].(*ast.BasicLit); ok {
							found[name.Name] = strings.Trim(l.Value, `"`)
						}
					}
				}
			}
			return true
		})
	}
	return found
}

// flagged are the names of the flags that files define: package flag's functions, or a FlagSet's methods.
func flagged(files []*ast.File) map[string]bool {
	kind := regexp.MustCompile(`^(String|Bool|Int|Int64|Uint|Uint64|Float64|Duration|Text|Func|BoolFunc)?(Var)?$`)
	found := map[string]bool{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !kind.MatchString(selector.Sel.Name) {
				return true
			}
			for i, a := range call.Args[:min(2, len(call.Args))] {
				if l, ok := a.(*ast.BasicLit); ok && l.Kind == token.STRING && (i == 1) == strings.HasSuffix(selector.Sel.Name, "Var") {
					if name, err := strconv.Unquote(l.Value); err == nil {
						found[name] = true
					}
				}
			}
			return true
		})
	}
	return found
}

// given are the flags in a list of arguments.
func given(args []string) (names []string) {
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
			names = append(names, name)
		}
	}
	return names
}

// value returns the value of a flag, as in -name=value or -name value.
func value(args []string, name string) string {
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "-"+name+"="); ok {
			return v
		}
		if a == "-"+name && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// unknown returns which of a list's flags a program does not have.
func unknown(args []string, flags map[string]bool) (names []string) {
	for _, n := range given(args) {
		if !flags[n] {
			names = append(names, n)
		}
	}
	return names
}

// flagsOf are the flags of a program of module gateway, with those that it shares with the others.
func flagsOf(t *testing.T, program string) map[string]bool {
	t.Helper()
	files := append(sources(t, "gateway/cmd/"+program), sources(t, "gateway/internal")...)
	return flagged(files)
}

// The sidecar's program has every flag that fleet.yaml and the unit give it.
func TestSidecarFlags(t *testing.T) {
	t.Parallel()
	flags := flagsOf(t, "sallyport-sidecar")
	unit, err := readUnit("systemd/sallyport-sidecar.service")
	if err != nil {
		t.Fatal(err)
	}
	for where, args := range map[string][]string{
		"fleet.yaml": needRender(t, folders[0]).fleetPod().container("sallyport").texts("args"),
		"the unit":   strings.Fields(unit.one("Service", "ExecStart"))[1:],
	} {
		if len(given(args)) < 8 {
			t.Errorf("%s gives only %q", where, args)
		}
		for _, n := range unknown(args, flags) {
			t.Errorf("%s gives -%s, which sallyport-sidecar does not have", where, n)
		}
	}
	if got := unknown([]string{"-nothing=1", "-listen"}, map[string]bool{"listen": true}); !slices.Equal(got, []string{"nothing"}) {
		t.Errorf("of -nothing and -listen unknown are %q", got)
	}
}

// issuerFaults returns which flags about tokens differ between programs that take those of one
// issuer. Left out they differ, too: the programs' defaults do.
func (c cluster) issuerFaults() (wrong []string) {
	sidecar, gateway := c.fleetPod().container("sallyport").texts("args"), c.gatewayPod().container("gateway").texts("args")
	for _, name := range []string{"issuer", "audience", "jwks", "alg", "typ"} {
		if a, b := value(sidecar, name), value(gateway, name); a == "" || a != b {
			wrong = append(wrong, fmt.Sprintf("the sidecar has -%s=%s, the gateway -%[1]s=%[3]s", name, a, b))
		}
	}
	return wrong
}

// Sidecar and gateway take the same tokens: those of one issuer have one algorithm and one type.
func TestOneIssuer(t *testing.T) {
	t.Parallel()
	for _, dir := range folders {
		for _, w := range needRender(t, dir).issuerFaults() {
			t.Errorf("%s: %s", dir, w)
		}
	}
	change := func(old, replace string) func(cluster) {
		return func(c cluster) {
			args := c.gatewayPod().container("gateway").at("args").([]any)
			if i := slices.Index(args, any(old)); i >= 0 {
				args[i] = replace
			}
		}
	}
	refuses(t, cluster.issuerFaults, map[string]spoiling{
		"algorithm": {"the gateway -alg=RS256", change("-alg=ES256", "-alg=RS256")},
		"type":      {"the gateway -typ=JWT", change("-typ=at+jwt", "-typ=JWT")},
		"default":   {"the gateway -typ=", change("-typ=at+jwt", "-remote-metrics")},
	})
}

// anonymous reports whether flags ask for an admin API and give it no certificate of the fleet:
// neither files nor, in the environment, a Workload API.
func anonymous(args, env []string) bool {
	files := []string{value(args, "spiffe-cert"), value(args, "spiffe-key"), value(args, "spiffe-bundle")}
	return value(args, "admin") != "" && slices.Contains(files, "") && !slices.Contains(env, "SPIFFE_ENDPOINT_SOCKET")
}

// Whoever deploys the sidecar with an admin API gives it a certificate of the fleet: without one
// there is none.
func TestAdminIdentity(t *testing.T) {
	t.Parallel()
	unit, err := readUnit("systemd/sallyport-sidecar.service")
	if err != nil {
		t.Fatal(err)
	}
	start := strings.Fields(unit.one("Service", "ExecStart"))
	if anonymous(start, nil) {
		t.Errorf("the unit has -admin, and no certificate for it: %q", start)
	}
	sidecar := needRender(t, folders[0]).fleetPod().container("sallyport")
	var env []string
	for _, e := range sidecar.list("env") {
		env = append(env, e.text("name"))
	}
	if args := sidecar.texts("args"); anonymous(args, env) || !anonymous(args, nil) {
		t.Errorf("fleet.yaml has -admin, and no Workload API for it: %q %q", args, env)
	}
	if i := slices.Index(start, "-spiffe-key"); i < 0 || !anonymous(slices.Delete(slices.Clone(start), i, i+2), nil) {
		t.Error("without -spiffe-key the check finds nothing")
	}
}

// refusal runs a program with the flags of a manifest, up to where it misses the files of a pod: then they
// are flags of its own, and fit each other. It returns what the program says.
func refusal(t *testing.T, program string, args []string, env ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, program, args...)
	run.Env = env
	out, err := run.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%s has the files of a pod: %v\n%s", program, err, out)
	}
	return string(out)
}

// The programs take the flags of the manifests, as far as flags go: what they miss is the certificate.
func TestFlagsParse(t *testing.T) {
	t.Parallel()
	bin := t.TempDir() + string(filepath.Separator)
	build := exec.Command("go", "build", "-o", bin, "./cmd/sallyport-gateway", "./cmd/sallyport-sidecar")
	build.Dir = "../gateway"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	parsed := func(program string, args []string, env ...string) string {
		return refusal(t, bin+program, args, env...)
	}
	c := needRender(t, folders[0])
	gateway := c.gatewayPod().container("gateway")
	var env []string
	for _, e := range gateway.list("env") {
		env = append(env, e.text("name")+"=0123456789abcdef")
	}
	args := gateway.texts("args")
	if out := parsed("sallyport-gateway", args, env...); !strings.Contains(out, "/etc/sallyport/tls/tls.crt: no such file") {
		t.Errorf("sallyport-gateway with %q says %s", args, out)
	}
	if out := parsed("sallyport-gateway", args); !strings.Contains(out, "SALLYPORT_NAKAMA_SERVER_KEY") {
		t.Errorf("without a secret sallyport-gateway says %s", out)
	}
	args = append(args, "-websocket-proxies=10.0.0.1")
	if out := parsed("sallyport-gateway", args, env...); !strings.Contains(out, "-websocket-proxies") {
		t.Errorf("with a wrong flag sallyport-gateway says %s", out)
	}
	args = c.fleetPod().container("sallyport").texts("args")
	out := parsed("sallyport-sidecar", args, "AGONES_SDK_HTTP_PORT=9358", "SPIFFE_ENDPOINT_SOCKET=unix:///spiffe/spire-agent.sock")
	if !strings.Contains(out, "/etc/sallyport/") || !strings.Contains(out, "no such file") {
		t.Errorf("sallyport-sidecar with %q says %s", args, out)
	}
}

// The gateway's program has every flag that the task on Fargate gives it, and reads what that sets in its
// environment.
func TestGatewayFlags(t *testing.T) {
	t.Parallel()
	for where, args := range map[string][]string{
		"aws/services.tf": gatewayArguments(t), "gateway.yaml": needRender(t, folders[0]).gatewayPod().container("gateway").texts("args"),
	} {
		for _, n := range unknown(args, flagsOf(t, "sallyport-gateway")) {
			t.Errorf("%s gives -%s, which sallyport-gateway does not have", where, n)
		}
	}
	text, err := os.ReadFile("aws/services.tf")
	if err != nil {
		t.Fatal(err)
	}
	environment := regexp.MustCompile(`"(SALLYPORT_\w+)"`).FindAllStringSubmatch(string(text), -1)
	if len(environment) == 0 {
		t.Error("the gateway's task has no environment")
	}
	known, err := filepath.Glob("../gateway/cmd/sallyport-gateway/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range environment {
		if !slices.ContainsFunc(known, func(file string) bool {
			text, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(text), `"`+e[1]+`"`)
		}) {
			t.Errorf("aws/services.tf sets %s, which sallyport-gateway does not read", e[1])
		}
	}
}

// Ports are those of the code: in the manifests, on AWS, in the image and in the unit.
func TestPorts(t *testing.T) {
	t.Parallel()
	code := constants(sources(t, "gateway"))
	port := func(name string) string { return strings.TrimPrefix(code[name], ":") }
	players, status, admin := port("DefaultListen"), port("DefaultStatus"), port("DefaultAdmin")
	if players == "" || status == "" || admin == "" {
		t.Fatalf("package gateway has the ports %q, %q and %q", players, status, admin)
	}
	c := needRender(t, folders[0])
	sidecar := c.fleetPod().container("sallyport")
	ports := map[string]string{}
	for _, p := range sidecar.list("ports") {
		ports[p.text("name")] = fmt.Sprint(p["containerPort"], p.text("protocol"))
	}
	if ports["players"] != players+"UDP" || ports["http-status"] != status || ports["tls-admin"] != admin || ports["websocket"] != webSocket {
		t.Errorf("the sidecar's ports are %v; by default %s, %s and %s, and %s for WebSockets", ports, players, status, admin, webSocket)
	}
	opened := map[string]string{}
	for _, p := range c.of("Fleet")[0].gameServer().list("ports") {
		opened[p.text("name")] = fmt.Sprint(p["containerPort"], p.text("protocol"))
	}
	if !maps.Equal(opened, map[string]string{"players": players + "UDP", "websocket": webSocket + "TCP"}) {
		t.Errorf("Agones opens %v", opened)
	}
	// The gateway's, and those of its service: the customary port of WebSockets is where a Dialer looks.
	dialer, err := os.ReadFile("../gateway/websocket/dialer.go")
	if err != nil || !strings.Contains(string(dialer), `net.JoinHostPort(host, "443")`) {
		t.Fatalf("package gateway/websocket does not look for port 443 (%v)", err)
	}
	gateway := c.gatewayPod().container("gateway")
	ports = map[string]string{}
	for _, p := range gateway.list("ports") {
		ports[p.text("name")] = fmt.Sprint(p["containerPort"], protocol(p))
	}
	if !maps.Equal(ports, map[string]string{"players": players + "UDP", "http-status": status + "TCP", "websocket": webSocket + "TCP"}) {
		t.Errorf("the gateway's ports are %v", ports)
	}
	opened = map[string]string{}
	for _, p := range c.find("Service", "sallyport", "gateway").list("spec", "ports") {
		opened[fmt.Sprint(p["port"], protocol(p))] = p.text("targetPort")
	}
	if !maps.Equal(opened, map[string]string{players + "UDP": "players", "443TCP": "websocket"}) {
		t.Errorf("the gateway's service has %v", opened)
	}
	if got := value(gateway.texts("args"), "nakama"); got != "http://nakama.sallyport.svc:7350" {
		t.Errorf("the gateway looks for Nakama at %s; the policies let it to port 7350 of namespace sallyport", got)
	}
	if got := fmt.Sprint(c.of("Fleet")[0].gameServer().at("lists", "players", "capacity")); got != code["DefaultMaxPlayers"] {
		t.Errorf("the list of players has room for %s, a gateway for %s", got, code["DefaultMaxPlayers"])
	}
	args := sidecar.texts("args")
	for name, want := range map[string]string{"listen": players, "status": status, "admin": admin, "websocket": webSocket} {
		if got := value(args, name); got != ":"+want {
			t.Errorf("fleet.yaml has -%s=%s", name, got)
		}
		if got := value(gateway.texts("args"), name); got != ":"+want && name != "admin" {
			t.Errorf("gateway.yaml has -%s=%s", name, got)
		}
		if got := gatewayArguments(t); !slices.Contains(got, "-"+name+"=:") && name != "admin" {
			t.Errorf("aws/services.tf has no -%s: %q", name, got)
		}
	}
	unit, err := readUnit("systemd/sallyport-sidecar.service")
	if err != nil {
		t.Fatal(err)
	}
	start := strings.Fields(unit.one("Service", "ExecStart"))
	for name, want := range map[string]string{"listen": ":" + players, "status": "127.0.0.1:" + status, "admin": ":" + admin} {
		if got := value(start, name); got != want {
			t.Errorf("the unit has -%s %s", name, got)
		}
	}
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("EXPOSE %s/udp %s/tcp %s/tcp %s/tcp", players, webSocket, status, admin); !strings.Contains(string(text), "\n"+want+"\n") {
		t.Errorf("Dockerfile does not say %q", want)
	}
	readme, err := os.ReadFile("README.md")
	if game := code["DefaultGame"]; err != nil || !strings.Contains(string(readme), "listens at "+game) {
		t.Errorf("README.md does not say that the game listens at %q (%v)", game, err)
	}
	for _, n := range []string{"players   = " + players, "status    = " + status, "websocket = " + webSocket, "nakama    = 7350"} {
		if text, err := os.ReadFile("aws/firewall.tf"); err != nil || !strings.Contains(string(text), n) {
			t.Errorf("aws/firewall.tf does not say %q (%v)", n, err)
		}
	}
}

// The probes ask what package statuspage answers, and a pod that ends has the time that the code takes.
func TestProbes(t *testing.T) {
	t.Parallel()
	c := needRender(t, folders[0])
	for probe, want := range map[string]string{"livenessProbe": "/live", "readinessProbe": "/ready"} {
		for _, container := range []object{c.fleetPod().container("sallyport"), c.gatewayPod().container("gateway")} {
			if got := container.text(probe, "httpGet", "path"); got != want {
				t.Errorf("%s of %s asks %s", probe, container.text("name"), got)
			}
		}
		text, err := os.ReadFile("../statuspage/doc.go")
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("package statuspage has no %s (%v)", want, err)
		}
	}
	grace, _ := c.gatewayPod().spec().at("terminationGracePeriodSeconds").(float64)
	shutdown := regexp.MustCompile(`DefaultShutdown = (\d+) \* time\.Second`)
	config, err := os.ReadFile("../gateway/config.go")
	if m := shutdown.FindSubmatch(config); err != nil || m == nil {
		t.Errorf("package gateway does not say how long it tells players that it ends (%v)", err)
	} else if told, _ := strconv.Atoi(string(m[1])); grace < float64(2*told) {
		t.Errorf("a gateway is killed after %v s, and tells its players for %d s that it ends", grace, told)
	}
}

// differentRules returns nil if a PrometheusRule has the groups of a file of rules.
func differentRules(file []byte, o object) error {
	var want, got any
	text, err := yaml.Marshal(o["spec"])
	if err == nil {
		err = errors.Join(yaml.Unmarshal(file, &want), yaml.Unmarshal(text, &got))
	}
	if err != nil {
		return err
	}
	a, _ := yaml.Marshal(want)
	b, _ := yaml.Marshal(got)
	if string(a) != string(b) {
		return errors.New("the rules of kubernetes/base/monitoring.yaml are not those of fleet/deploy/sallyport.rules.yml")
	}
	return nil
}

// Rules and alerts are those that fleet/deploy has unit tests for.
func TestPrometheusRules(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../fleet/deploy/sallyport.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	c := needRender(t, folders[0])
	if err := differentRules(file, c.of("PrometheusRule")[0]); err != nil {
		t.Error(err)
	}
	if differentRules([]byte(strings.Replace(string(file), "> 0.05", "> 0.06", 1)), c.of("PrometheusRule")[0]) == nil {
		t.Error("another threshold is no difference")
	}
	// Rules and dashboard ask for the job sallyport, which is the value of this label.
	for monitor, who := range map[string]pod{"sallyport": c.fleetPod(), "sallyport-gateway": c.gatewayPod()} {
		o := c.find("PodMonitor", who.namespace, monitor)
		if l := o.text("spec", "jobLabel"); who.labels()[l] != "sallyport" || !selects(o.object("spec", "selector", "matchLabels"), who.labels()) {
			t.Errorf("%v: the job is what label %s has: %v", o, l, who.labels()[l])
		}
		endpoint := o.list("spec", "podMetricsEndpoints")[0]
		if !slices.ContainsFunc(who.containers(), func(container object) bool {
			return slices.ContainsFunc(container.list("ports"), func(p object) bool { return p.text("name") == endpoint.text("port") })
		}) {
			t.Errorf("%v: no container has the port %s", o, endpoint.text("port"))
		}
	}
}

// brokerFaults returns what is wrong with the configuration of NATS. A test of the module fleet runs it.
func brokerFaults(text string, roles map[string]bool) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	parsed, err := conf.Parse(strings.ReplaceAll(text, "$POD_NAME", "nats-0"))
	if err != nil {
		return []string{err.Error()}
	}
	// It is Kubernetes' JSON but for its numbers, which are not looked at.
	o := object(parsed)
	for _, block := range [][]string{{"tls"}, {"cluster", "tls"}} {
		if t := o.object(block...); t["verify_and_map"] != true || t.text("min_version") != "1.3" {
			say("%v does not ask for a certificate, or takes TLS 1.2", block)
		}
	}
	if o.text("jetstream", "sync_interval") != "always" {
		say("what JetStream has acknowledged may not be on the disk")
	}
	if got := o.text("cluster", "authorization", "user"); !strings.HasSuffix(got, "/role/broker") || !strings.HasPrefix(got, "spiffe://") {
		say("routes are let in as %q", got)
	}
	users := map[string]bool{}
	for _, u := range o.list("authorization", "users") {
		domain, role, ok := strings.Cut(u.text("user"), "/role/")
		if !ok || domain+"/role/broker" != o.text("cluster", "authorization", "user") {
			say("%s is of another trust domain, or no role", u.text("user"))
		}
		users[role] = true
		for _, way := range []string{"publish", "subscribe"} {
			allow := u.texts("permissions", way, "allow")
			if len(allow) == 0 {
				say("%s may %s everything", role, way)
			}
			for _, subject := range allow {
				if subject == ">" || subject == "*" || strings.HasPrefix(subject, "$JS.API.>") || strings.HasPrefix(subject, "$SYS") {
					say("%s may %s %s", role, way, subject)
				}
			}
		}
	}
	for r := range roles {
		if !users[r] {
			say("%s is no user, and has messages to send or to hear", r)
		}
	}
	for u := range users {
		if !roles[u] {
			say("%s is a user, and has no message to send or to hear", u)
		}
	}
	return wrong
}

// NATS' users are the roles whose permissions are about messages; its servers find each other, and their
// certificates where spiffe-helper puts them.
func TestBroker(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("kubernetes/base/nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]bool{}
	for p := range wanted(t) {
		if p.port == "TCP 4222" {
			roles[p.from] = true
		}
	}
	for _, w := range brokerFaults(string(text), roles) {
		t.Error(w)
	}
	for old, c := range map[string]struct{ replace, want string }{
		"verify_and_map: true":                                    {"verify: true", "does not ask"},
		`min_version: "1.3"`:                                      {`min_version: "1.2"`, "takes TLS 1.2"},
		"sync_interval: always":                                   {"sync_interval: 2m", "may not be on the disk"},
		`user: "spiffe://game.example/role/broker"`:               {`user: "spiffe://game.example/role/auth"`, "routes are let in"},
		"/role/leaderboard":                                       {"/role/analytics", "leaderboard is no user"},
		`"sallyport.live.*", "sallyport.ask.*", "sallyport.state`: {`">", "sallyport.state`, "may publish >"},
		"game.example/role/matchmaking":                           {"other.example/role/matchmaking", "another trust domain"},
		"jetstream {":                                             {"jetstream {{", "parse"},
	} {
		bad := strings.Replace(string(text), old, c.replace, 1)
		if found := brokerFaults(bad, roles); bad == string(text) || !slices.ContainsFunc(found, func(w string) bool { return strings.Contains(strings.ToLower(w), strings.ToLower(c.want)) }) {
			t.Errorf("%s: the check says %q", c.replace, found)
		}
	}

	c := needRender(t, folders[0])
	nats := c.of("StatefulSet")[0]
	service := c.find("Service", "sallyport", "nats")
	for i := range 3 {
		if route := fmt.Sprintf(`"nats://%s-%d.%s.%s.svc:6222"`, nats.name(), i, service.name(), service.namespace()); !strings.Contains(string(text), route) {
			t.Errorf("nats.conf has no route %s", route)
		}
	}
	if nats.at("spec", "replicas") != 3.0 || strings.Count(string(text), "nats://") != 3 {
		t.Errorf("%v servers, %d routes", nats.at("spec", "replicas"), strings.Count(string(text), "nats://"))
	}
	// A server's certificate has the name by which the others dial it.
	if got := c.find("ClusterSPIFFEID", "", "sallyport-broker").texts("spec", "dnsNameTemplates"); !slices.Equal(got, []string{"{{ .PodMeta.Name }}." + service.name() + ".{{ .PodMeta.Namespace }}.svc"}) {
		t.Errorf("the broker's certificate is for %q", got)
	}
	// The example differs in the trust domain alone.
	example, err := os.ReadFile("kubernetes/overlays/example/nats.conf")
	if err != nil || string(example) != strings.ReplaceAll(string(text), "game.example", "mygame.example") {
		t.Errorf("the example's nats.conf is not the base's with its own trust domain (%v)", err)
	}
}

// agonesFaults returns where the sidecar's flags about Agones do not fit the Fleet.
func (c cluster) agonesFaults() (wrong []string) {
	p := c.fleetPod()
	args := p.container("sallyport").texts("args")
	if list := value(args, "agones-list"); list != "" && c.of("Fleet")[0].gameServer().at("lists", list) == nil {
		wrong = append(wrong, fmt.Sprintf("the game servers have no list %s", list))
	}
	grace, _ := p.spec().at("terminationGracePeriodSeconds").(float64)
	if text := value(args, "agones-within"); text != "" {
		if within, err := time.ParseDuration(text); err != nil || within.Seconds() >= grace {
			wrong = append(wrong, fmt.Sprintf("a drain may take %s, and the pod is killed after %v s (%v)", text, grace, err))
		}
	}
	return wrong
}

// A drain ends before the pod is killed, and players are listed where the Fleet has a list.
func TestAgonesFlags(t *testing.T) {
	t.Parallel()
	for _, dir := range folders {
		for _, w := range needRender(t, dir).agonesFaults() {
			t.Errorf("%s: %s", dir, w)
		}
	}
	with := func(args ...any) func(cluster) {
		return func(c cluster) { c.fleetPod().container("sallyport")["args"] = args }
	}
	refuses(t, cluster.agonesFaults, map[string]spoiling{
		"list":     {"no list seats", with("-agones=env", "-agones-list=seats")},
		"too long": {"is killed after", with("-agones=env", "-agones-within=60s")},
		"no time":  {"is killed after", with("-agones=env", "-agones-within=soon")},
	})
}
