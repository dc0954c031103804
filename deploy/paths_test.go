package deploy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fleetRoles are the roles of fleet/identity, read from its code: all but "none".
func fleetRoles(t *testing.T) (roles []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../fleet/identity/role.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && v.Names[0].Name == "roles" {
			for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
				name, err := strconv.Unquote(e.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				roles = append(roles, name)
			}
		}
		return true
	})
	if len(roles) < 6 || roles[0] != "none" {
		t.Fatalf("the roles of fleet/identity are %q", roles)
	}
	return roles[1:]
}

// permissions is the table in the package comment of fleet/identity, which a test there holds to the
// code: who may do what.
func permissions(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../fleet/identity/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	roles, table := fleetRoles(t), map[string][]string{}
	var head string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(strings.TrimPrefix(line, "//"), "\n")
		line = strings.ReplaceAll(line, "\t", "    ")
		switch {
		case head == "" && strings.Contains(line, "matchmaking game-state leaderboard"):
			head = line
		case head != "" && strings.TrimSpace(line) == "":
			if len(table) < 10 {
				t.Fatalf("the table of permissions has only %d rows", len(table))
			}
			return table
		case head != "":
			for _, r := range roles {
				// A column begins with the role's name, and a cross stands below it.
				if i := strings.Index(head, r); i >= 0 && i < len(line) && strings.Contains(line[i:min(len(line), i+len(r))], "x") {
					name := strings.TrimSpace(strings.TrimRight(line, " x"))
					table[name] = append(table[name], r)
				}
			}
		}
	}
	t.Fatal("fleet/identity has no table of permissions")
	return nil
}

// overNATS are the permissions that are used by NATS; the others are calls of an admin API.
var overNATS = []string{"receive keys", "publish used", "publish revocations", "subscribe"}

// path is a way from one role to another's port.
type path struct{ from, to, port string }

func (p path) String() string { return p.from + " to " + p.to + " " + p.port }

// wanted are the paths between roles that are used.
func wanted(t *testing.T) map[path]bool {
	t.Helper()
	paths := map[path]bool{
		{"broker", "broker", "TCP 6222"}:     true, // routes
		{"operator", "operator", "TCP 7781"}: true, // the keeper of the fleet's keys answers operators
		{"gateway", "nakama", "TCP 7350"}:    true, // a WebSocket for each player
	}
	for permission, roles := range permissions(t) {
		for _, r := range roles {
			if slices.Contains(overNATS, permission) {
				paths[path{r, "broker", "TCP 4222"}] = true
			} else {
				paths[path{r, "game-state", "TCP 7781"}] = true
			}
		}
	}
	return paths
}

// component is the role of a peer or of a policy's pods, "" if it is no role's.
func component(selector object) string {
	return selector.text("matchLabels", "app.kubernetes.io/component")
}

// network returns the paths between roles that network policies allow in both directions, what they
// allow to and from elsewhere, and what is allowed at one end only.
func (c cluster) network() (between map[path]bool, outside, wrong []string) {
	in, out := map[path]bool{}, map[path]bool{}
	read := func(o object, title, key string, found map[path]bool, way func(me, other, port string) path) {
		me := component(o.object("spec", "podSelector"))
		for _, rule := range o.list("spec", title) {
			var ports []string
			for _, p := range rule.list("ports") {
				ports = append(ports, fmt.Sprint(p["protocol"], " ", p["port"]))
			}
			if len(ports) == 0 {
				wrong = append(wrong, fmt.Sprintf("%v allows every port", o))
			}
			peers := rule.list(key)
			if len(peers) == 0 {
				outside = append(outside, fmt.Sprintf("%s of %s: all %s", title, me, strings.Join(ports, ", ")))
			}
			for _, p := range peers {
				other := component(p.object("podSelector"))
				if other == "" {
					outside = append(outside, fmt.Sprintf("%s of %s/%s: %s %s", title, o.namespace(), me, where(p), strings.Join(ports, ", ")))
					continue
				}
				account := c.find("ServiceAccount", p.text("namespaceSelector", "matchLabels", "kubernetes.io/metadata.name"), other)
				if account == nil {
					wrong = append(wrong, fmt.Sprintf("%v: %s is not in namespace %s", o, other, p.at("namespaceSelector")))
				}
				for _, port := range ports {
					found[way(me, other, port)] = true
				}
			}
		}
	}
	for _, o := range c.of("NetworkPolicy") {
		read(o, "ingress", "from", in, func(me, other, port string) path { return path{other, me, port} })
		read(o, "egress", "to", out, func(me, other, port string) path { return path{me, other, port} })
	}
	for p := range in {
		if !out[p] {
			wrong = append(wrong, fmt.Sprintf("%v is let in and not out", p))
		}
	}
	for p := range out {
		if !in[p] {
			wrong = append(wrong, fmt.Sprintf("%v is let out and not in", p))
		}
	}
	slices.Sort(outside)
	return in, slices.Compact(outside), wrong
}

// where names a peer that is no role's.
func where(p object) string {
	if cidr := p.text("ipBlock", "cidr"); cidr != "" {
		if len(p.texts("ipBlock", "except")) > 0 {
			return cidr + " without private addresses"
		}
		return cidr
	}
	var name strings.Builder
	name.WriteString(p.text("namespaceSelector", "matchLabels", "kubernetes.io/metadata.name"))
	for k, v := range p.object("podSelector", "matchLabels") {
		name.WriteString(" " + k + "=" + fmt.Sprint(v))
	}
	return name.String()
}

// exactly returns what is missing in got, and what is too much.
func exactly(got, want map[path]bool) (wrong []string) {
	for p := range want {
		if !got[p] {
			wrong = append(wrong, fmt.Sprintf("%v is not allowed, and used", p))
		}
	}
	for p := range got {
		if !want[p] {
			wrong = append(wrong, fmt.Sprintf("%v is allowed, and not used", p))
		}
	}
	return wrong
}

// outsiders are the paths that lead out of the fleet or into it.
var outsiders = []string{
	"egress of sallyport-game/: istio-system app=istiod TCP 15012",
	"egress of sallyport-game/: kube-system k8s-app=kube-dns UDP 53, TCP 53",
	"egress of sallyport-game/game-state: 0.0.0.0/0 without private addresses TCP 443", // the identity provider's keys
	"egress of sallyport-game/game-state: 192.0.2.10/32 TCP 443, TCP 6443",             // Kubernetes, for Agones
	"egress of sallyport-game/game-state: ::/0 without private addresses TCP 443",
	"egress of sallyport/: istio-system app=istiod TCP 15012",
	"egress of sallyport/: kube-system k8s-app=kube-dns UDP 53, TCP 53",
	"egress of sallyport/auth: 0.0.0.0/0 without private addresses TCP 443",
	"egress of sallyport/auth: ::/0 without private addresses TCP 443",
	"egress of sallyport/gateway: 0.0.0.0/0 without private addresses TCP 443",
	"egress of sallyport/gateway: ::/0 without private addresses TCP 443",
	"egress of sallyport/matchmaking: 192.0.2.10/32 TCP 443, TCP 6443",
	"egress of sallyport/operator: 192.0.2.10/32 TCP 443, TCP 6443",
	"ingress of game-state: all UDP 7777, TCP 7443", // players, by UDP and by WebSocket
	"ingress of gateway: all UDP 7777, TCP 7443",
	"ingress of sallyport-game/game-state: monitoring TCP 7780",
	"ingress of sallyport/gateway: monitoring TCP 7780",
}

// networkFaults returns how network policies differ from the paths that are used.
func networkFaults(want map[path]bool) func(cluster) []string {
	return func(c cluster) []string {
		got, outside, wrong := c.network()
		wrong = append(wrong, exactly(got, want)...)
		if !slices.Equal(outside, outsiders) {
			wrong = append(wrong, fmt.Sprintf("into the fleet and out of it are allowed:\n%s", strings.Join(outside, "\n")))
		}
		for _, n := range c.of("Namespace") {
			if !slices.ContainsFunc(c.of("NetworkPolicy"), func(o object) bool {
				return o.namespace() == n.name() && len(o.object("spec", "podSelector")) == 0 && o.at("spec", "ingress") == nil &&
					o.at("spec", "egress") == nil && slices.Equal(o.texts("spec", "policyTypes"), []string{"Ingress", "Egress"})
			}) {
				wrong = append(wrong, n.name()+" has no policy that denies everything")
			}
		}
		for _, o := range c.of("NetworkPolicy") {
			if !slices.Equal(o.texts("spec", "policyTypes"), []string{"Ingress", "Egress"}) {
				wrong = append(wrong, fmt.Sprintf("%v is for one direction only", o))
			}
		}
		return wrong
	}
}

// Network policies allow exactly the paths that are used: calls and messages that a role's permissions
// are for, players, and a few ways out.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	check := networkFaults(wanted(t))
	for _, w := range check(needRender(t, folders[0])) {
		t.Error(w)
	}
	policy := func(c cluster, name string) object {
		return c.of("NetworkPolicy")[slices.IndexFunc(c.of("NetworkPolicy"), func(o object) bool { return o.name() == name })].object("spec")
	}
	refuses(t, check, map[string]spoiling{
		"one way": {"is let in and not out", func(c cluster) { policy(c, "leaderboard")["egress"] = []any{} }},
		"too much": {"analytics to broker TCP 4222 is allowed, and not used", func(c cluster) {
			to := policy(c, "leaderboard").at("egress").([]any)
			policy(c, "analytics")["egress"] = append(policy(c, "analytics").at("egress").([]any), to...)
			from := policy(c, "broker").list("ingress")[0]
			from["from"] = append(from.at("from").([]any), policy(c, "game-state").list("ingress")[1].at("from").([]any)...)
		}},
		"too little": {"is not allowed, and used", func(c cluster) {
			policy(c, "leaderboard")["egress"] = []any{}
			policy(c, "broker").list("ingress")[0]["from"] = []any{}
		}},
		"port":       {"is let out and not in", func(c cluster) { policy(c, "broker").list("ingress")[0].list("ports")[0]["port"] = 4223 }},
		"every port": {"every port", func(c cluster) { delete(policy(c, "broker").list("ingress")[0], "ports") }},
		"outside": {"into the fleet and out", func(c cluster) {
			policy(c, "auth").list("egress")[2].list("to")[0].object("ipBlock")["cidr"] = "10.0.0.0/8"
		}},
		"private": {"into the fleet and out", func(c cluster) { delete(policy(c, "auth").list("egress")[2].list("to")[0].object("ipBlock"), "except") }},
		"namespace": {"is not in namespace", func(c cluster) {
			policy(c, "broker").list("ingress")[0].list("from")[0].object("namespaceSelector", "matchLabels")["kubernetes.io/metadata.name"] = "default"
		}},
		"no default":    {"denies everything", func(c cluster) { policy(c, "default-deny")["ingress"] = []any{map[string]any{}} }},
		"one direction": {"one direction only", func(c cluster) { policy(c, "auth")["policyTypes"] = []any{"Egress"} }},
	})
}

// notRoles are the service accounts that no table of fleet/identity knows: a gateway judges its players by
// its identity provider, and Nakama a gateway by its server key.
var notRoles = []string{"gateway", "nakama"}

const (
	// webSocket is where a pod has the WebSockets of players: less than 1024 needs a privilege.
	webSocket = "7443"
	// outOfMesh is Istio's annotation for ports whose connections do not pass its proxy.
	outOfMesh = "traffic.sidecar.istio.io/excludeInboundPorts"
)

// meshFaults returns how Istio's policies differ from the paths that are used.
func meshFaults(want map[path]bool) func(cluster) []string {
	return func(c cluster) (wrong []string) {
		got := map[path]bool{}
		for _, o := range c.of("AuthorizationPolicy") {
			if o.name() == "deny-all" {
				if len(o.object("spec")) != 0 {
					wrong = append(wrong, fmt.Sprintf("%v allows something", o))
				}
				continue
			}
			if o.text("spec", "action") != "ALLOW" {
				wrong = append(wrong, fmt.Sprintf("%v allows nothing", o))
			}
			me := component(o.object("spec", "selector"))
			if c.find("ServiceAccount", o.namespace(), me) == nil {
				wrong = append(wrong, fmt.Sprintf("%v selects no role", o))
			}
			for _, rule := range o.list("spec", "rules") {
				for _, to := range rule.list("to") {
					operation := to.object("operation")
					for _, port := range operation.texts("ports") {
						if len(rule.list("from")) == 0 {
							// Prometheus has no identity in the mesh.
							if me != "game-state" && me != "gateway" || port != "7780" || !slices.Equal(operation.texts("paths"), []string{"/metrics"}) || !slices.Equal(operation.texts("methods"), []string{"GET"}) {
								wrong = append(wrong, fmt.Sprintf("%v lets everybody to port %s", o, port))
							}
							continue
						}
						for _, from := range rule.list("from") {
							for _, id := range from.texts("source", "principals") {
								parts := strings.Split(id, "/") // cluster.local/ns/<namespace>/sa/<account>
								if len(parts) != 5 || parts[0] != "cluster.local" || parts[1] != "ns" || parts[3] != "sa" || c.find("ServiceAccount", parts[2], parts[4]) == nil {
									wrong = append(wrong, fmt.Sprintf("%v: %s is nobody", o, id))
									continue
								}
								got[path{parts[4], me, "TCP " + port}] = true
							}
						}
					}
				}
			}
		}
		wrong = append(wrong, exactly(got, want)...)
		for _, n := range c.of("Namespace") {
			if c.find("AuthorizationPolicy", n.name(), "deny-all") == nil {
				wrong = append(wrong, n.name()+" has no policy that denies everything")
			}
			if a := c.find("PeerAuthentication", n.name(), "default"); a == nil || a.at("spec", "selector") != nil {
				wrong = append(wrong, n.name()+" has no rule of mutual TLS")
			}
			if n.text("metadata", "labels", "istio-injection") != "enabled" {
				wrong = append(wrong, n.name()+" is not in the mesh")
			}
		}
		for _, p := range c.pods() {
			for annotation, ports := range p.template.object("metadata", "annotations") {
				if strings.HasPrefix(annotation, "traffic.sidecar.istio.io/") && (annotation != outOfMesh || ports != webSocket) {
					wrong = append(wrong, fmt.Sprintf("%v: %s %v is kept out of the mesh", p.owner, annotation, ports))
				}
			}
			if slices.ContainsFunc(p.containers(), func(o object) bool { return value(o.texts("args"), "websocket") != "" }) &&
				p.template.at("metadata", "annotations", outOfMesh) != webSocket {
				wrong = append(wrong, fmt.Sprintf("%v: players' WebSockets come from the mesh's proxy, all of one address", p.owner))
			}
		}
		for _, a := range c.of("PeerAuthentication") {
			if a.text("spec", "mtls", "mode") != "STRICT" {
				wrong = append(wrong, fmt.Sprintf("%v is not strict", a))
			}
			for port, how := range a.object("spec", "portLevelMtls") {
				if port != "7780" || how.(map[string]any)["mode"] != "PERMISSIVE" {
					wrong = append(wrong, fmt.Sprintf("%v makes an exception of port %s", a, port))
				}
			}
		}
		return wrong
	}
}

// Istio asks for mutual TLS everywhere, and lets exactly those SPIFFE ids through that have a use for the
// port.
func TestMesh(t *testing.T) {
	t.Parallel()
	check := meshFaults(wanted(t))
	for _, w := range check(needRender(t, folders[0])) {
		t.Error(w)
	}
	rule := func(c cluster, ns, name string, n int) object {
		return c.find("AuthorizationPolicy", ns, name).list("spec", "rules")[n]
	}
	principals := func(r object) object { return r.list("from")[0].object("source") }
	refuses(t, check, map[string]spoiling{
		"permissive": {"is not strict", func(c cluster) {
			c.find("PeerAuthentication", "sallyport", "default").object("spec", "mtls")["mode"] = "PERMISSIVE"
		}},
		"exception": {"exception of port 7781", func(c cluster) {
			c.find("PeerAuthentication", "sallyport-game", "game-state").object("spec", "portLevelMtls")["7781"] = map[string]any{"mode": "DISABLE"}
		}},
		"no rule": {"no rule of mutual TLS", func(c cluster) {
			c.find("PeerAuthentication", "sallyport", "default").object("metadata")["name"] = "some"
		}},
		"nobody": {"is nobody", func(c cluster) {
			principals(rule(c, "sallyport", "broker", 0))["principals"] = []any{"cluster.local/ns/default/sa/default"}
		}},
		"wildcard": {"is nobody", func(c cluster) { principals(rule(c, "sallyport", "broker", 0))["principals"] = []any{"*"} }},
		"too much": {"leaderboard to game-state TCP 7781 is allowed, and not", func(c cluster) {
			principals(rule(c, "sallyport-game", "game-state", 0))["principals"] = []any{"cluster.local/ns/sallyport/sa/leaderboard"}
		}},
		"everybody": {"lets everybody", func(c cluster) { delete(rule(c, "sallyport", "broker", 0), "from") }},
		"all paths": {"lets everybody", func(c cluster) {
			delete(rule(c, "sallyport-game", "game-state", 1).list("to")[0].object("operation"), "paths")
		}},
		"deny all": {"allows something", func(c cluster) {
			c.find("AuthorizationPolicy", "sallyport", "deny-all")["spec"] = map[string]any{"rules": []any{map[string]any{}}}
		}},
		"gateway's paths": {"lets everybody", func(c cluster) {
			delete(rule(c, "sallyport", "gateway", 0).list("to")[0].object("operation"), "methods")
		}},
		"nakama for all": {"auth to nakama TCP 7350 is allowed, and not", func(c cluster) {
			principals(rule(c, "sallyport", "nakama", 0))["principals"] = []any{"cluster.local/ns/sallyport/sa/auth"}
		}},
		"kept out": {"is kept out of the mesh", func(c cluster) {
			c.fleetPod().template.object("metadata", "annotations")[outOfMesh] = webSocket + ",7781"
		}},
		"proxied": {"all of one address", func(c cluster) { delete(c.gatewayPod().template.object("metadata", "annotations"), outOfMesh) }},
		"outside": {"not in the mesh", func(c cluster) {
			delete(c.find("Namespace", "", "sallyport").object("metadata", "labels"), "istio-injection")
		}},
	})
}

// A service account, a component and both SPIFFE ids have the name of a role; and every role has them.
func TestRoleNames(t *testing.T) {
	t.Parallel()
	c := needRender(t, folders[0])
	want := map[string]bool{}
	for _, r := range append(fleetRoles(t), notRoles...) {
		want[r] = true
	}
	got := map[string]bool{}
	for _, a := range c.of("ServiceAccount") {
		got[a.name()] = true
		if l := a.text("metadata", "labels", "app.kubernetes.io/component"); l != a.name() {
			t.Errorf("%v has the component %s", a, l)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("service accounts are %v, roles %v", got, want)
	}
	for _, p := range c.pods() {
		if p.labels()["app.kubernetes.io/component"] != p.spec().text("serviceAccountName") || p.labels()["app.kubernetes.io/part-of"] != "sallyport" {
			t.Errorf("%v: labels %v, service account %s", p.owner, p.labels(), p.spec().text("serviceAccountName"))
		}
	}
	// SPIRE gives a pod one id: no two registrations select the same pods. What is no role gets none.
	ids := c.of("ClusterSPIFFEID")
	if len(ids) != 2 {
		t.Fatalf("%d registrations", len(ids))
	}
	for _, o := range ids {
		if got := o.text("spec", "spiffeIDTemplate"); got != "spiffe://{{ .TrustDomain }}/role/{{ .PodSpec.ServiceAccountName }}" {
			t.Errorf("%v: %s", o, got)
		}
		for _, n := range c.of("Namespace") {
			if !selects(o.object("spec", "namespaceSelector", "matchLabels"), n.object("metadata", "labels")) {
				t.Errorf("%v does not select namespace %s", o, n.name())
			}
		}
	}
	not := c.find("ClusterSPIFFEID", "", "sallyport-roles").list("spec", "podSelector", "matchExpressions")
	if len(not) != 1 || not[0].text("operator") != "NotIn" || !slices.Equal(not[0].texts("values"), append([]string{"broker"}, notRoles...)) ||
		component(c.find("ClusterSPIFFEID", "", "sallyport-broker").object("spec", "podSelector")) != "broker" {
		t.Error("a pod has two ids, or none")
	}
}
