package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// object is one of Kubernetes', as JSON has it.
type object map[string]any

func (o object) kind() string      { return o.text("kind") }
func (o object) name() string      { return o.text("metadata", "name") }
func (o object) namespace() string { return o.text("metadata", "namespace") }
func (o object) String() string    { return o.kind() + " " + o.namespace() + "/" + o.name() }

// at returns what is below a path, nil if nothing is.
func (o object) at(path ...string) any {
	var v any = map[string]any(o)
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

func (o object) text(path ...string) string { s, _ := o.at(path...).(string); return s }

func (o object) object(path ...string) object { m, _ := o.at(path...).(map[string]any); return m }

// list returns the objects of a list.
func (o object) list(path ...string) (list []object) {
	all, _ := o.at(path...).([]any)
	for _, v := range all {
		m, _ := v.(map[string]any)
		list = append(list, m)
	}
	return list
}

// texts returns the strings of a list.
func (o object) texts(path ...string) (list []string) {
	all, _ := o.at(path...).([]any)
	for _, v := range all {
		list = append(list, fmt.Sprint(v))
	}
	return list
}

// cluster is all objects that would be applied together.
type cluster []object

// render builds a folder as `kubectl apply -k` does.
func render(dir string) (cluster, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, err
	}
	var c cluster
	for _, r := range built.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		var o object
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, err
		}
		c = append(c, o)
	}
	return c, nil
}

func needRender(t *testing.T, dir string) cluster {
	t.Helper()
	c, err := render(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// clone is a copy that shares nothing.
func (c cluster) clone() (out cluster) {
	text, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		panic(err) // it was JSON before
	}
	return out
}

// of returns the objects of a kind.
func (c cluster) of(kind string) (list []object) {
	for _, o := range c {
		if o.kind() == kind {
			list = append(list, o)
		}
	}
	return list
}

// find returns one object, nil if there is none.
func (c cluster) find(kind, namespace, name string) object {
	for _, o := range c.of(kind) {
		if o.name() == name && (o.namespace() == namespace || namespace == "*") {
			return o
		}
	}
	return nil
}

// pod is a pod template, and whose it is.
type pod struct {
	owner     object
	namespace string
	template  object
}

func (p pod) spec() object { return p.template.object("spec") }
func (p pod) labels() map[string]any {
	m, _ := p.template.at("metadata", "labels").(map[string]any)
	return m
}

// containers returns all, those that begin first among them.
func (p pod) containers() []object {
	return append(p.spec().list("initContainers"), p.spec().list("containers")...)
}

func (p pod) container(name string) object {
	for _, c := range p.containers() {
		if c.text("name") == name {
			return c
		}
	}
	return nil
}

// pods returns every pod template.
func (c cluster) pods() (list []pod) {
	for _, o := range c {
		switch o.kind() {
		case "StatefulSet", "Deployment", "DaemonSet", "Job":
			list = append(list, pod{o, o.namespace(), o.object("spec", "template")})
		case "Fleet":
			list = append(list, pod{o, o.namespace(), o.object("spec", "template", "spec", "template")})
		}
	}
	return list
}

// selects reports whether a selector's matchLabels are among labels.
func selects(selector, labels map[string]any) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// folders are those that somebody applies.
var folders = []string{"kubernetes/base", "kubernetes/overlays/example"}

// Every object is one that Kubernetes, Agones, Istio, SPIRE and the Prometheus Operator would take.
func TestKubernetesSchemas(t *testing.T) {
	t.Parallel()
	s := needSchemas(t)
	for _, dir := range folders {
		c := needRender(t, dir)
		for _, o := range c {
			if err := s.validate(o); err != nil {
				t.Errorf("%s: %v", dir, err)
			}
		}
		if len(c) < 40 {
			t.Errorf("%s has only %d objects", dir, len(c))
		}
	}
}

// What is wrong with a manifest is found.
func TestKubernetesSchemasRefuse(t *testing.T) {
	t.Parallel()
	s := needSchemas(t)
	good := needRender(t, "kubernetes/base")
	for name, c := range map[string]struct {
		kind, object, want string
		spoil              func(o object)
	}{
		"no kind of anybody":   {"Fleet", "game", "no schema", func(o object) { o["apiVersion"] = "agones.dev/v2" }},
		"unknown field":        {"StatefulSet", "nats", "replica", func(o object) { o.object("spec")["replica"] = 3 }},
		"deep unknown field":   {"StatefulSet", "nats", "priviliged", func(o object) { o.spoilt("containers", "securityContext")["priviliged"] = false }},
		"wrong type":           {"StatefulSet", "nats", "replicas", func(o object) { o.object("spec")["replicas"] = "three" }},
		"required":             {"StatefulSet", "nats", "selector", func(o object) { delete(o.object("spec"), "selector") }},
		"metadata":             {"Namespace", "sallyport", "lables", func(o object) { o.object("metadata")["lables"] = map[string]any{} }},
		"policy port":          {"NetworkPolicy", "broker", "ports", func(o object) { o.object("spec").list("ingress")[0]["ports"] = 4222 }},
		"role verb":            {"Role", "matchmaking", "verbs", func(o object) { delete(o.list("rules")[0], "verbs") }},
		"istio mode":           {"PeerAuthentication", "default", "mode", func(o object) { o.object("spec", "mtls")["mode"] = "STRIKT" }},
		"istio unknown":        {"AuthorizationPolicy", "broker", "principal", func(o object) { o.object("spec").list("rules")[0]["principal"] = "x" }},
		"agones policy":        {"Fleet", "game", "portPolicy", func(o object) { o.gameServer().list("ports")[0]["portPolicy"] = "dynamic" }},
		"agones unknown":       {"Fleet", "game", "healthy", func(o object) { o.gameServer()["healthy"] = true }},
		"agones pod":           {"Fleet", "game", "imagePolicy", func(o object) { o.gameServer().object("template", "spec").list("containers")[0]["imagePolicy"] = "x" }},
		"agones port":          {"Fleet", "game", "containerPort", func(o object) { delete(o.gameServer().list("ports")[0], "containerPort") }},
		"agones twice":         {"Fleet", "game", "values", func(o object) { o.gameServer().object("lists", "players")["values"] = []any{"a", "a"} }},
		"agones list too long": {"Fleet", "game", "capacity", func(o object) { o.gameServer().object("lists", "players")["capacity"] = 5000 }},
		"autoscaler":           {"FleetAutoscaler", "game", "maxReplicas", func(o object) { delete(o.object("spec", "policy", "buffer"), "maxReplicas") }},
		"spire":                {"ClusterSPIFFEID", "sallyport-roles", "ttl", func(o object) { o.object("spec")["ttl"] = "half a day" }},
		"monitor":              {"PodMonitor", "sallyport", "podMetricsEndpoint", func(o object) { o.object("spec")["podMetricsEndpoint"] = []any{} }},
		"rule":                 {"PrometheusRule", "sallyport", "expr", func(o object) { delete(o.object("spec").list("groups")[0].list("rules")[0], "expr") }},
	} {
		o := good.clone().find(c.kind, "*", c.object)
		if o == nil {
			t.Errorf("%s: no %s %s", name, c.kind, c.object)
			continue
		}
		c.spoil(o)
		if err := s.validate(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What was written by hand lets through what Agones and SPIRE do.
func TestSchemasByHand(t *testing.T) {
	t.Parallel()
	s := needSchemas(t)
	good := needRender(t, folders[0])
	for name, c := range map[string]struct {
		kind, object string
		change       func(o object)
	}{
		"passthrough": {"Fleet", "game", func(o object) {
			p := o.gameServer().list("ports")[0]
			p["portPolicy"] = "Passthrough"
			delete(p, "containerPort")
		}},
		"trace": {"Fleet", "game", func(o object) { o.gameServer()["sdkServer"] = map[string]any{"logLevel": "Trace"} }},
		"priorities": {"Fleet", "game", func(o object) {
			o.object("spec")["priorities"] = []any{map[string]any{"type": "List", "key": "players"}}
		}},
		"null": {"Fleet", "game", func(o object) { o.object("spec", "strategy")["rollingUpdate"] = nil }},
		"by list": {"FleetAutoscaler", "game", func(o object) {
			o.object("spec")["policy"] = map[string]any{"type": "List", "list": map[string]any{"key": "players", "bufferSize": 100.0, "maxCapacity": 1000.0}}
		}},
		"dotted": {"FleetAutoscaler", "game", func(o object) { o.object("spec")["fleetName"] = "game.eu" }},
		"class":  {"ClusterSPIFFEID", "sallyport-roles", func(o object) { o.object("spec")["className"], o.object("spec")["hint"] = "a", "b" }},
		"ttl":    {"ClusterSPIFFEID", "sallyport-roles", func(o object) { o.object("spec")["ttl"] = "1.5h30m" }},
	} {
		o := good.clone().find(c.kind, "*", c.object)
		c.change(o)
		if err := s.validate(o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// spoilt returns a part of the first container of a pod template.
func (o object) spoilt(containers, part string) object {
	return o.object("spec", "template", "spec").list(containers)[0].object(part)
}

// gameServer is the specification of a Fleet's game servers.
func (o object) gameServer() object { return o.object("spec", "template", "spec") }

// A file with the same key twice is what one half of its readers takes for another file.
func TestKubernetesFiles(t *testing.T) {
	t.Parallel()
	files := 0
	for _, dir := range folders {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".yaml") {
				continue
			}
			text, err := os.ReadFile(dir + "/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			files++
			if err := wellFormed(string(text)); err != nil {
				t.Errorf("%s/%s: %v", dir, e.Name(), err)
			}
		}
	}
	if files < 10 {
		t.Errorf("only %d files", files)
	}
	if wellFormed("a: 1\na: 2\n") == nil || wellFormed("a: [") == nil {
		t.Error("what is no YAML, or has a key twice, is taken")
	}
}

// wellFormed returns what is wrong with the documents of a file.
func wellFormed(text string) error {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var v any
		if err := decoder.Decode(&v); err != nil {
			if err.Error() == "EOF" {
				return nil
			}
			return err
		}
	}
}

// references returns which names mean nothing.
func (c cluster) references() (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	theirs := map[string]bool{"ClusterRole agones-sdk": true} // Agones installs it
	// README.md says how they are made.
	secrets := map[string]bool{
		"sallyport-tls": true, "sallyport-fleet-keys": true,
		"sallyport-gateway-tls": true, "sallyport-gateway-fleet-keys": true, "sallyport-gateway-nakama": true,
	}
	accounts := func(o object, namespace, name string) {
		if c.find("ServiceAccount", namespace, name) == nil {
			say("%v: no service account %s/%s", o, namespace, name)
		}
	}
	seen := map[string]bool{}
	for _, o := range c {
		if seen[o.String()] {
			say("%v is there twice", o)
		}
		seen[o.String()] = true
		if n := o.namespace(); n != "" && c.find("Namespace", "", n) == nil {
			say("%v: no namespace %s", o, n)
		}
		switch o.kind() {
		case "RoleBinding":
			role := o.object("roleRef")
			if c.find(role.text("kind"), o.namespace(), role.text("name")) == nil && !theirs[role.text("kind")+" "+role.text("name")] {
				say("%v: no %s %s", o, role.text("kind"), role.text("name"))
			}
			for _, s := range o.list("subjects") {
				accounts(o, s.text("namespace"), s.text("name"))
			}
		case "FleetAutoscaler":
			if c.find("Fleet", o.namespace(), o.text("spec", "fleetName")) == nil {
				say("%v: no fleet %s", o, o.text("spec", "fleetName"))
			}
		case "StatefulSet":
			if c.find("Service", o.namespace(), o.text("spec", "serviceName")) == nil {
				say("%v: no service %s", o, o.text("spec", "serviceName"))
			}
		case "HorizontalPodAutoscaler":
			target := c.find(o.text("spec", "scaleTargetRef", "kind"), o.namespace(), o.text("spec", "scaleTargetRef", "name"))
			if target == nil {
				say("%v: no %s %s", o, o.text("spec", "scaleTargetRef", "kind"), o.text("spec", "scaleTargetRef", "name"))
			} else if target.at("spec", "replicas") != nil {
				say("%v says how many there are, and so does %v", o, target)
			}
			for _, m := range o.list("spec", "metrics") {
				name := m.text("containerResource", "container")
				if target != nil && (pod{target, target.namespace(), target.object("spec", "template")}).container(name) == nil {
					say("%v: no container %s", o, name)
				}
			}
		case "Service":
			c.selecting(o, o.object("spec", "selector"), say)
			c.leading(o, say)
		case "PodDisruptionBudget", "PodMonitor":
			c.selecting(o, o.object("spec", "selector", "matchLabels"), say)
		}
	}
	for _, p := range c.pods() {
		accounts(p.owner, p.namespace, p.spec().text("serviceAccountName"))
		if s := p.owner.object("spec", "selector", "matchLabels"); p.owner.kind() != "Fleet" && (len(s) == 0 || !selects(s, p.labels())) {
			say("%v: its selector is not of its own pods", p.owner)
		}
		volumes := map[string]bool{}
		for _, v := range p.spec().list("volumes") {
			volumes[v.text("name")] = true
			if n := v.text("configMap", "name"); n != "" && c.find("ConfigMap", p.namespace, n) == nil {
				say("%v: no config map %s", p.owner, n)
			}
			if n := v.text("secret", "secretName"); n != "" && !secrets[n] {
				say("%v: nobody says how secret %s is made", p.owner, n)
			}
		}
		for _, v := range p.owner.list("spec", "volumeClaimTemplates") {
			volumes[v.text("metadata", "name")] = true
		}
		used := map[string]bool{}
		for _, container := range p.containers() {
			for _, e := range container.list("env") {
				if n := e.text("valueFrom", "secretKeyRef", "name"); n != "" && !secrets[n] {
					say("%v: nobody says how secret %s is made", p.owner, n)
				}
			}
			for _, m := range container.list("volumeMounts") {
				used[m.text("name")] = true
				if !volumes[m.text("name")] {
					say("%v: container %s mounts %s, which is no volume", p.owner, container.text("name"), m.text("name"))
				}
			}
			ports := map[string]bool{}
			for _, port := range container.list("ports") {
				ports[fmt.Sprint(port["containerPort"])] = true
			}
			for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
				if o := container.object(probe); o != nil && !ports[fmt.Sprint(o.at("httpGet", "port"))] {
					say("%v: %s of %s asks port %v, which it does not have", p.owner, probe, container.text("name"), o.at("httpGet", "port"))
				}
			}
		}
		for v := range volumes {
			if !used[v] {
				say("%v: nobody mounts volume %s", p.owner, v)
			}
		}
	}
	for _, f := range c.of("Fleet") {
		p := pod{f, f.namespace(), f.gameServer().object("template")}
		if p.container(f.gameServer().text("container")) == nil {
			say("%v: no container %s", f, f.gameServer().text("container"))
		}
		for _, port := range f.gameServer().list("ports") {
			container := p.container(port.text("container"))
			if container == nil || !slices.ContainsFunc(container.list("ports"), func(o object) bool {
				return o["containerPort"] == port["containerPort"] && protocol(o) == protocol(port)
			}) {
				say("%v: container %q has no port %v %s", f, port.text("container"), port["containerPort"], port.text("protocol"))
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// selecting says if a selector selects no pod.
func (c cluster) selecting(o object, selector map[string]any, say func(string, ...any)) {
	for _, p := range c.pods() {
		if p.namespace == o.namespace() && selects(selector, p.labels()) {
			return
		}
	}
	say("%v selects no pod", o)
}

// leading says which ports of a service lead to none of its pods'.
func (c cluster) leading(o object, say func(string, ...any)) {
	for _, port := range o.list("spec", "ports") {
		target := port["targetPort"]
		if target == nil {
			target = port["port"]
		}
		for _, p := range c.pods() {
			if p.namespace != o.namespace() || !selects(o.object("spec", "selector"), p.labels()) {
				continue
			}
			if !slices.ContainsFunc(p.containers(), func(container object) bool {
				return slices.ContainsFunc(container.list("ports"), func(at object) bool {
					return (at["name"] == target || at["containerPort"] == target) && protocol(at) == protocol(port)
				})
			}) {
				say("%v: port %v leads to %v %s, which %v does not have", o, port["port"], target, protocol(port), p.owner)
			}
		}
	}
}

// protocol is that of a port, TCP if it says none.
func protocol(port object) string {
	if p := port.text("protocol"); p != "" {
		return p
	}
	return "TCP"
}

// Names that one object has of another mean something.
func TestKubernetesNames(t *testing.T) {
	t.Parallel()
	for _, dir := range folders {
		for _, w := range needRender(t, dir).references() {
			t.Errorf("%s: %s", dir, w)
		}
	}
	refuses(t, cluster.references, map[string]spoiling{
		"no role": {"no Role matchmakin", func(c cluster) {
			c.find("RoleBinding", "sallyport-game", "matchmaking").object("roleRef")["name"] = "matchmakin"
		}},
		"no account": {"no service account sallyport/gone", func(c cluster) {
			c.find("RoleBinding", "sallyport-game", "operator").list("subjects")[0]["name"] = "gone"
		}},
		"pod account":  {"no service account sallyport-game/broker", func(c cluster) { c.fleetPod().spec()["serviceAccountName"] = "broker" }},
		"no namespace": {"no namespace games", func(c cluster) { c.of("Fleet")[0].object("metadata")["namespace"] = "games" }},
		"selector": {"selects no pod", func(c cluster) {
			c.find("Service", "sallyport", "nats").object("spec", "selector")["app.kubernetes.io/component"] = "brokers"
		}},
		"service's port": {"leads to quic UDP", func(c cluster) {
			c.find("Service", "sallyport", "gateway").list("spec", "ports")[0]["targetPort"] = "quic"
		}},
		"service's protocol": {"leads to websocket UDP", func(c cluster) {
			c.find("Service", "sallyport", "gateway").list("spec", "ports")[1]["protocol"] = "UDP"
		}},
		"gateway's selector": {"is not of its own", func(c cluster) {
			delete(c.find("Deployment", "sallyport", "gateway").object("spec", "selector"), "matchLabels")
		}},
		"gateway's secret": {"nobody says how secret nakama", func(c cluster) {
			c.gatewayPod().container("gateway").list("env")[0].object("valueFrom", "secretKeyRef")["name"] = "nakama"
		}},
		"scaled": {"no Deployment gateways", func(c cluster) {
			c.of("HorizontalPodAutoscaler")[0].object("spec", "scaleTargetRef")["name"] = "gateways"
		}},
		"scaled twice": {"and so does", func(c cluster) { c.find("Deployment", "sallyport", "gateway").object("spec")["replicas"] = 2.0 }},
		"scaled by": {"no container game", func(c cluster) {
			c.of("HorizontalPodAutoscaler")[0].list("spec", "metrics")[0].object("containerResource")["container"] = "game"
		}},
		"budget":     {"selects no pod", func(c cluster) { c.of("PodDisruptionBudget")[0].object("metadata")["namespace"] = "sallyport-game" }},
		"autoscaler": {"no fleet games", func(c cluster) { c.of("FleetAutoscaler")[0].object("spec")["fleetName"] = "games" }},
		"volume":     {"which is no volume", func(c cluster) { c.fleetPod().container("sallyport").list("volumeMounts")[0]["name"] = "cert" }},
		"idle volume": {"nobody mounts volume", func(c cluster) {
			delete(c.fleetPod().container("game"), "volumeMounts")
			delete(c.fleetPod().container("sallyport"), "volumeMounts")
		}},
		"secret": {"nobody says how", func(c cluster) { c.fleetPod().spec().list("volumes")[0].object("secret")["secretName"] = "tls" }},
		"probe": {"asks port 7781, which", func(c cluster) {
			p := c.fleetPod().container("sallyport")
			p.object("livenessProbe", "httpGet")["port"] = 7781
			p["ports"] = p.at("ports").([]any)[:3]
		}},
		"agones port": {"has no port 7778", func(c cluster) { c.of("Fleet")[0].gameServer().list("ports")[0]["containerPort"] = 7778 }},
		"twice":       {"twice", func(c cluster) { maps.Copy(c[0].object("metadata"), c[1].object("metadata")) }},
	})
}

func (c cluster) fleetPod() pod {
	f := c.of("Fleet")[0]
	return pod{f, f.namespace(), f.gameServer().object("template")}
}

func (c cluster) gatewayPod() pod {
	d := c.find("Deployment", "sallyport", "gateway")
	return pod{d, d.namespace(), d.object("spec", "template")}
}

// spoiling is what makes good manifests bad, and a part of what a check has to say then.
type spoiling struct {
	want  string
	spoil func(c cluster)
}

// refuses tests that a check has nothing to say about the base, and finds what is spoilt.
func refuses(t *testing.T, check func(cluster) []string, cases map[string]spoiling) {
	t.Helper()
	good := needRender(t, folders[0])
	for name, s := range cases {
		c := good.clone()
		s.spoil(c)
		if found := check(c); !slices.ContainsFunc(found, func(w string) bool { return strings.Contains(w, s.want) }) {
			t.Errorf("%s: the check says %q", name, found)
		}
	}
}

// hardening returns what pods may do that they need not.
func (c cluster) hardening() (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, p := range c.pods() {
		if s := p.spec(); s.at("securityContext", "runAsNonRoot") != true || s.at("securityContext", "runAsUser") != 65532.0 ||
			s.text("securityContext", "seccompProfile", "type") != "RuntimeDefault" {
			say("%v runs as root, or without seccomp", p.owner)
		}
		for _, field := range []string{"hostNetwork", "hostPID", "hostIPC"} {
			if p.spec()[field] != nil {
				say("%v has %s", p.owner, field)
			}
		}
		account := c.find("ServiceAccount", p.namespace, p.spec().text("serviceAccountName"))
		for _, o := range p.containers() {
			name := fmt.Sprint(p.owner, ": container ", o.text("name"))
			s := o.object("securityContext")
			if s["allowPrivilegeEscalation"] != false || s["readOnlyRootFilesystem"] != true || s["privileged"] != nil ||
				!slices.Equal(s.texts("capabilities", "drop"), []string{"ALL"}) || s.at("capabilities", "add") != nil {
				say("%s may do more than it has to", name)
			}
			if o.at("resources", "limits", "memory") == nil || o.at("resources", "requests", "cpu") == nil {
				say("%s has no bound on memory, or asks for no processor", name)
			}
			// Agones' container needs the token of Kubernetes; ours must not have it.
			hidden := slices.ContainsFunc(o.list("volumeMounts"), func(m object) bool {
				return m.text("mountPath") == "/var/run/secrets/kubernetes.io/serviceaccount"
			})
			if account["automountServiceAccountToken"] != false && !hidden {
				say("%s has a token of Kubernetes", name)
			}
		}
	}
	for _, a := range c.of("ServiceAccount") {
		bound := slices.ContainsFunc(c.of("RoleBinding"), func(b object) bool {
			return slices.ContainsFunc(b.list("subjects"), func(s object) bool {
				return s.text("name") == a.name() && s.text("namespace") == a.namespace()
			})
		})
		if bound != (a["automountServiceAccountToken"] == true) {
			say("%v has a token and no use for it, or the other way round", a)
		}
	}
	for _, r := range append(c.of("Role"), c.of("ClusterRole")...) {
		for _, rule := range r.list("rules") {
			for _, field := range []string{"apiGroups", "resources", "verbs"} {
				if slices.Contains(rule.texts(field), "*") {
					say("%v allows all %s", r, field)
				}
			}
			if slices.Contains(rule.texts("resources"), "secrets") {
				say("%v reads secrets", r)
			}
		}
	}
	for _, kind := range []string{"ClusterRole", "ClusterRoleBinding"} {
		for _, o := range c.of(kind) {
			say("%v is for the whole cluster", o)
		}
	}
	return wrong
}

// Nothing runs as root, writes to its image, has a capability, or a token that it does not use.
func TestKubernetesHardening(t *testing.T) {
	t.Parallel()
	for _, dir := range folders {
		for _, w := range needRender(t, dir).hardening() {
			t.Errorf("%s: %s", dir, w)
		}
	}
	sidecar := func(c cluster) object { return c.fleetPod().container("sallyport") }
	refuses(t, cluster.hardening, map[string]spoiling{
		"root":         {"runs as root", func(c cluster) { c.fleetPod().spec().object("securityContext")["runAsUser"] = 0.0 }},
		"seccomp":      {"without seccomp", func(c cluster) { delete(c.fleetPod().spec().object("securityContext"), "seccompProfile") }},
		"host network": {"hostNetwork", func(c cluster) { c.fleetPod().spec()["hostNetwork"] = true }},
		"capability":   {"may do more", func(c cluster) { sidecar(c).object("securityContext", "capabilities")["add"] = []any{"NET_ADMIN"} }},
		"privileged":   {"may do more", func(c cluster) { sidecar(c).object("securityContext")["privileged"] = true }},
		"writable":     {"may do more", func(c cluster) { sidecar(c).object("securityContext")["readOnlyRootFilesystem"] = false }},
		"no bound":     {"no bound", func(c cluster) { delete(sidecar(c), "resources") }},
		"token":        {"has a token of", func(c cluster) { sidecar(c)["volumeMounts"] = sidecar(c).at("volumeMounts").([]any)[:2] }},
		"idle token": {"no use for it", func(c cluster) {
			c.find("ServiceAccount", "sallyport", "analytics")["automountServiceAccountToken"] = true
		}},
		"all verbs": {"allows all verbs", func(c cluster) { c.of("Role")[0].list("rules")[0]["verbs"] = []any{"*"} }},
		"secrets":   {"reads secrets", func(c cluster) { c.of("Role")[0].list("rules")[0]["resources"] = []any{"secrets"} }},
		"cluster":   {"whole cluster", func(c cluster) { c.of("Role")[0]["kind"] = "ClusterRole" }},
	})
}

// The example names an image and a version for every container, and says whose identity provider it is.
func TestKubernetesExample(t *testing.T) {
	t.Parallel()
	c := needRender(t, "kubernetes/overlays/example")
	for _, p := range c.pods() {
		for _, o := range p.containers() {
			if image := o.text("image"); strings.HasPrefix(image, "registry.example.com/") || strings.HasSuffix(image, ":latest") {
				t.Errorf("%v: %s", p.owner, image)
			}
		}
	}
	for _, want := range []string{
		"-issuer=https://id.mygame.example", "-audience=arena-eu", "-jwks=https://id.mygame.example/jwks.json", "-alg=RS256", "-typ=JWT",
	} {
		for _, container := range []object{c.fleetPod().container("sallyport"), c.gatewayPod().container("gateway")} {
			args := container.texts("args")
			if name, _, _ := strings.Cut(want, "="); !slices.Contains(args, want) || strings.Count(strings.Join(args, " "), name+"=") != 1 {
				t.Errorf("of %s the flags are %q: they lack %s", container.text("name"), args, want)
			}
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, placeholder := range []string{"id.example.com", "192.0.2.10", "//game.example"} {
		if strings.Contains(string(text), placeholder) {
			t.Errorf("the example leaves %s", placeholder)
		}
	}
}
