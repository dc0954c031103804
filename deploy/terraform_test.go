package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// provider is what testdata/aws.json says of the arguments of each resource and data source that is used
// here.
type provider struct{ Resource, Data map[string]recorded }

// recorded is a resource, or a block within one. An attribute's type may end with '!', required, or
// '=', only to be read.
type recorded struct {
	Attributes map[string]string
	Blocks     map[string]recorded
	Required   bool
	Many       bool
	Unrecorded bool // nobody has used the block yet: record it
}

func readProvider() (p provider, err error) {
	text, err := os.ReadFile("testdata/aws.json")
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(text, &p)
}

// terraform is a module: its blocks, by the name by which expressions know them.
type terraform struct {
	blocks    map[string]*hclsyntax.Block // "var.x", "data.t.n", "t.n", "output.x"
	locals    map[string]*hclsyntax.Attribute
	providers map[string]bool // "aws", "aws.edge"
}

// readTerraform reads the files of a folder.
func readTerraform(dir string) (map[string]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	files := map[string]string{}
	for _, n := range names {
		text, e := os.ReadFile(n)
		files[filepath.Base(n)], err = string(text), errors.Join(err, e)
	}
	if len(files) == 0 && err == nil {
		err = fmt.Errorf("%s has no *.tf", dir)
	}
	return files, err
}

// parseTerraform parses the files of one module.
func parseTerraform(files map[string]string) (*terraform, error) {
	m := &terraform{map[string]*hclsyntax.Block{}, map[string]*hclsyntax.Attribute{}, map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file, diags := hclsyntax.ParseConfig([]byte(files[name]), name, hcl.InitialPos)
		if diags.HasErrors() {
			return nil, diags
		}
		for _, b := range file.Body.(*hclsyntax.Body).Blocks {
			key := ""
			switch {
			case b.Type == "terraform" && len(b.Labels) == 0:
				continue
			case b.Type == "locals" && len(b.Labels) == 0:
				for n, a := range b.Body.Attributes {
					if m.locals[n] != nil {
						return nil, fmt.Errorf("%s: local.%s is there twice", name, n)
					}
					m.locals[n] = a
				}
				continue
			case b.Type == "provider" && len(b.Labels) == 1:
				key = b.Labels[0]
				if a := b.Body.Attributes["alias"]; a != nil {
					v, _ := a.Expr.Value(nil)
					key += "." + v.AsString()
				}
				m.providers[key] = true
				key = "provider." + key
			case b.Type == "variable" && len(b.Labels) == 1:
				key = "var." + b.Labels[0]
			case b.Type == "output" && len(b.Labels) == 1:
				key = "output." + b.Labels[0]
			case b.Type == "resource" && len(b.Labels) == 2:
				key = strings.Join(b.Labels, ".")
			case b.Type == "data" && len(b.Labels) == 2:
				key = "data." + strings.Join(b.Labels, ".")
			default:
				return nil, fmt.Errorf("%s: block %s %q is none that a module has", b.DefRange(), b.Type, b.Labels)
			}
			if m.blocks[key] != nil {
				return nil, fmt.Errorf("%s: %s is there twice", b.DefRange(), key)
			}
			m.blocks[key] = b
		}
	}
	return m, nil
}

// functions are those of Terraform that are used here.
var functions = []string{"can", "cidrsubnet", "concat", "join", "jsonencode", "length", "regex", "upper"}

// faults returns what is wrong with a module: names that mean nothing, arguments that the provider
// does not have or lacks, values of another type, variables without type or description.
func (m *terraform) faults(p provider) (wrong []string) {
	say := func(at hcl.Range, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s:%d: %s", at.Filename, at.Start.Line, fmt.Sprintf(format, args...)))
	}
	used := map[string]bool{}
	for key, b := range m.blocks {
		attributes := b.Body.Attributes
		switch b.Type {
		case "variable":
			for _, want := range []string{"type", "description"} {
				if attributes[want] == nil {
					say(b.DefRange(), "%s has no %s", key, want)
				}
			}
			for _, v := range b.Body.Blocks {
				m.references(v.Body, nil, p, used, say)
			}
			continue // its type is no expression
		case "output":
			for _, want := range []string{"value", "description"} {
				if attributes[want] == nil {
					say(b.DefRange(), "%s has no %s", key, want)
				}
			}
		case "resource", "data":
			known, ok := p.Resource[b.Labels[0]]
			if b.Type == "data" {
				known, ok = p.Data[b.Labels[0]]
			}
			if !ok {
				say(b.DefRange(), "testdata/aws.json has no %s %s", b.Type, b.Labels[0])
				break
			}
			conforms(b.Body, known, true, say)
			if a := attributes["provider"]; a != nil && !m.providers[spelled(a.Expr)] {
				say(a.SrcRange, "no provider %s", spelled(a.Expr))
			}
		}
		m.references(b.Body, b, p, used, say)
	}
	for _, a := range m.locals {
		m.expression(a.Expr, nil, p, used, say)
	}
	for key, b := range m.blocks {
		if b.Type == "variable" && !used[key] {
			say(b.DefRange(), "nobody uses %s", key)
		}
	}
	for n, a := range m.locals {
		if !used["local."+n] {
			say(a.SrcRange, "nobody uses local.%s", n)
		}
	}
	slices.Sort(wrong)
	return wrong
}

type sayer func(at hcl.Range, format string, args ...any)

// meta are the arguments that Terraform itself has for every resource.
var (
	metaArguments = []string{"count", "for_each", "provider", "depends_on"}
	metaBlocks    = []string{"lifecycle"}
)

// conforms says how a body differs from what is recorded of it.
func conforms(body *hclsyntax.Body, known recorded, top bool, say sayer) {
	for n, a := range body.Attributes {
		if top && slices.Contains(metaArguments, n) {
			continue
		}
		kind, ok := known.Attributes[n]
		switch {
		case !ok:
			say(a.SrcRange, "there is no argument %s", n)
		case strings.HasSuffix(kind, "="):
			say(a.SrcRange, "%s is only to be read", n)
		default:
			if v, diags := a.Expr.Value(nil); !diags.HasErrors() && !fits(v, strings.TrimSuffix(kind, "!")) {
				say(a.SrcRange, "%s is %s, not %s", n, v.Type().FriendlyName(), kind)
			}
		}
	}
	count := map[string]int{}
	for _, b := range body.Blocks {
		if top && slices.Contains(metaBlocks, b.Type) {
			continue
		}
		count[b.Type]++
		sub, ok := known.Blocks[b.Type]
		switch {
		case !ok:
			say(b.DefRange(), "there is no block %s", b.Type)
		case sub.Unrecorded:
			say(b.DefRange(), "testdata/aws.json has nothing about block %s", b.Type)
		default:
			if count[b.Type] == 2 && !sub.Many {
				say(b.DefRange(), "block %s may be there once", b.Type)
			}
			conforms(b.Body, sub, false, say)
		}
	}
	for n, kind := range known.Attributes {
		if strings.HasSuffix(kind, "!") && body.Attributes[n] == nil {
			say(body.SrcRange, "argument %s is required", n)
		}
	}
	for n, sub := range known.Blocks {
		if sub.Required && count[n] == 0 {
			say(body.SrcRange, "block %s is required", n)
		}
	}
}

// fits reports whether a value can be of a recorded type.
func fits(v cty.Value, kind string) bool {
	var want cty.Type
	switch kind {
	case "string":
		want = cty.String
	case "number":
		want = cty.Number
	case "bool":
		want = cty.Bool
	case "list":
		return v.Type().IsTupleType() || v.Type().IsListType() || v.IsNull()
	case "map":
		return v.Type().IsObjectType() || v.Type().IsMapType() || v.IsNull()
	default:
		return true
	}
	_, err := convert.Convert(v, want)
	return err == nil
}

// spelled is a reference as it stands in the file, without indices.
func spelled(e hclsyntax.Expression) string {
	if s, ok := e.(*hclsyntax.ScopeTraversalExpr); ok {
		return names(s.Traversal)
	}
	return ""
}

func names(t hcl.Traversal) string {
	var parts []string
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			parts = append(parts, s.Name)
		case hcl.TraverseAttr:
			parts = append(parts, s.Name)
		}
	}
	return strings.Join(parts, ".")
}

// references looks at all expressions of a body.
func (m *terraform) references(body *hclsyntax.Body, within *hclsyntax.Block, p provider, used map[string]bool, say sayer) {
	for n, a := range body.Attributes {
		if n != "provider" {
			m.expression(a.Expr, within, p, used, say)
		}
	}
	for _, b := range body.Blocks {
		m.references(b.Body, within, p, used, say)
	}
}

// expression says which names of an expression mean nothing.
func (m *terraform) expression(e hclsyntax.Expression, within *hclsyntax.Block, p provider, used map[string]bool, say sayer) {
	for _, t := range hclsyntax.Variables(e) {
		m.traversal(t, within, p, used, say)
	}
	hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics { //nolint:errcheck // the function returns none
		switch x := n.(type) {
		case *hclsyntax.FunctionCallExpr:
			if !slices.Contains(functions, x.Name) {
				say(x.NameRange, "no function %s is known here", x.Name)
			}
		case *hclsyntax.RelativeTraversalExpr: // t.n[count.index].attribute
			if i, ok := x.Source.(*hclsyntax.IndexExpr); ok {
				m.attribute(spelled(i.Collection), names(x.Traversal), x.SrcRange, p, say)
			}
		case *hclsyntax.SplatExpr: // t.n[*].attribute
			if r, ok := x.Each.(*hclsyntax.RelativeTraversalExpr); ok {
				m.attribute(spelled(x.Source), names(r.Traversal), x.SrcRange, p, say)
			}
		}
		return nil
	})
}

// traversal says whether a reference means something.
func (m *terraform) traversal(t hcl.Traversal, within *hclsyntax.Block, p provider, used map[string]bool, say sayer) {
	at, parts := t.SourceRange(), strings.Split(names(t), ".")
	has := func(meta string) bool { return within != nil && within.Body.Attributes[meta] != nil }
	switch {
	case parts[0] == "each":
		if !has("for_each") {
			say(at, "%s without for_each", names(t))
		}
	case parts[0] == "count":
		if !has("count") || names(t) != "count.index" {
			say(at, "%s without count", names(t))
		}
	case len(parts) < 2:
		say(at, "%s is nothing", names(t))
	case parts[0] == "var":
		used["var."+parts[1]] = true
		if m.blocks["var."+parts[1]] == nil {
			say(at, "no variable %s", parts[1])
		}
	case parts[0] == "local":
		used["local."+parts[1]] = true
		a := m.locals[parts[1]]
		if a == nil {
			say(at, "no local %s", parts[1])
			return
		}
		if o, ok := a.Expr.(*hclsyntax.ObjectConsExpr); ok && len(parts) > 2 {
			for _, item := range o.Items {
				if v, diags := item.KeyExpr.Value(nil); !diags.HasErrors() && v.AsString() == parts[2] {
					return
				}
			}
			say(at, "local.%s has no %s", parts[1], parts[2])
		}
	case parts[0] == "data" && len(parts) < 3:
		say(at, "%s is nothing", names(t))
	default:
		key, rest := strings.Join(parts[:2], "."), parts[2:]
		if parts[0] == "data" {
			key, rest = strings.Join(parts[:3], "."), parts[3:]
		}
		b := m.blocks[key]
		if b == nil {
			say(at, "no %s", key)
			return
		}
		if len(rest) > 0 {
			if _, counted := t[len(strings.Split(key, "."))].(hcl.TraverseAttr); counted && (b.Body.Attributes["count"] != nil || b.Body.Attributes["for_each"] != nil) {
				say(at, "%s is a list: say which", key)
			}
			m.attribute(key, rest[0], at, p, say)
		}
	}
}

// attribute says whether a resource has an attribute.
func (m *terraform) attribute(key, name string, at hcl.Range, p provider, say sayer) {
	b := m.blocks[key]
	name, _, _ = strings.Cut(name, ".")
	if b == nil || name == "" {
		return // said, or a whole resource
	}
	known := p.Resource[b.Labels[0]]
	if b.Type == "data" {
		known = p.Data[b.Labels[0]]
	}
	_, attribute := known.Attributes[name]
	_, block := known.Blocks[name]
	if !attribute && !block {
		say(at, "%s has no %s", key, name)
	}
}

func needTerraform(t *testing.T) (map[string]string, *terraform, provider) {
	t.Helper()
	files, err := readTerraform("aws")
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseTerraform(files)
	if err != nil {
		t.Fatal(err)
	}
	p, err := readProvider()
	if err != nil {
		t.Fatal(err)
	}
	return files, m, p
}

// What is referenced exists, with the arguments that the AWS provider has; and the files are laid out as
// terraform fmt does.
func TestTerraform(t *testing.T) {
	t.Parallel()
	files, m, p := needTerraform(t)
	for _, w := range m.faults(p) {
		t.Error(w)
	}
	for name, text := range files {
		if string(hclwrite.Format([]byte(text))) != text {
			t.Errorf("%s: run terraform fmt", name)
		}
	}
	if len(m.blocks) < 70 {
		t.Errorf("only %d blocks", len(m.blocks))
	}
}

// What is wrong with a module is found.
func TestTerraformRefuse(t *testing.T) {
	t.Parallel()
	files, _, p := needTerraform(t)
	for name, c := range map[string]struct{ file, old, replace, want string }{
		"syntax":             {"api.tf", "default_action {", "default_action {{", "Argument or block"},
		"no variable":        {"api.tf", "var.origin_domain", "var.origin_domane", "no variable origin_domane"},
		"unused variable":    {"api.tf", "var.origin_domain", `"a.example"`, "nobody uses var.origin_domain"},
		"no local":           {"api.tf", "local.ports.nakama", "local.port.nakama", "no local port"},
		"no part of a local": {"api.tf", "local.ports.nakama", "local.ports.nakamas", "local.ports has no nakamas"},
		"no resource":        {"api.tf", "aws_lb.api.arn", "aws_lb.apis.arn", "no aws_lb.apis"},
		"no attribute":       {"api.tf", "aws_lb.api.arn", "aws_lb.api.arm", "aws_lb.api has no arm"},
		"indexed attribute":  {"network.tf", "aws_nat_gateway.main[count.index].id", "aws_nat_gateway.main[count.index].ids", "has no ids"},
		"splat attribute":    {"api.tf", "aws_subnet.public[*].id", "aws_subnet.public[*].ident", "has no ident"},
		"not a list":         {"api.tf", "aws_subnet.public[*].id", "[aws_subnet.public.id]", "say which"},
		"no data":            {"network.tf", "data.aws_availability_zones.here", "data.aws_availability_zones.there", "no data.aws_availability_zones.there"},
		"no argument":        {"api.tf", "drop_invalid_header_fields", "drop_invalid_headers", "there is no argument drop_invalid_headers"},
		"read only":          {"network.tf", "enable_dns_support ", "owner_id ", "only to be read"},
		"required":           {"api.tf", `  scope    = "CLOUDFRONT"`, "", "argument scope is required"},
		"required block":     {"cognito.tf", `name     = "verified_email"`, "", "argument name is required"},
		"no block":           {"api.tf", "fixed_response {", "fixed_answer {", "there is no block fixed_answer"},
		"unrecorded":         {"api.tf", "fixed_response {", "redirect {", "nothing about block redirect"},
		"block twice":        {"api.tf", "restrictions {", "restrictions {\n  geo_restriction {\n    restriction_type = \"none\"\n  }\n}\nrestrictions {", "may be there once"},
		"type":               {"api.tf", "enabled         = true", `enabled         = "certainly"`, "enabled is string, not bool"},
		"list":               {"cognito.tf", `explicit_auth_flows = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]`, `explicit_auth_flows = "ALLOW_USER_SRP_AUTH"`, "not list"},
		"function":           {"services.tf", "jsonencode(", "jsonencoded(", "no function jsonencoded"},
		"each":               {"api.tf", "for_each     = var.allowed", "", "without for_each"},
		"count":              {"network.tf", "count          = var.zones", "", "without count"},
		"provider":           {"api.tf", "aws.edge", "aws.ledge", "no provider aws.ledge"},
		"resource type":      {"api.tf", `resource "aws_lb" "api"`, `resource "aws_alb2" "api"`, "no resource aws_alb2"},
		"no description":     {"variables.tf", `  description = "Where players connect to. CloudFront's parts are in us-east-1 all the same."`, "", "var.region has no description"},
		"no type":            {"variables.tf", "  type        = string\n}", "}", "has no type"},
		"output":             {"outputs.tf", "aws_cognito_user_pool.players.id", "aws_cognito_user_pool.player.id", "no aws_cognito_user_pool.player"},
		"depends on":         {"services.tf", "[aws_lb_listener.udp, ", "[aws_lb_listener.tcp, ", "no aws_lb_listener.tcp"},
		"twice":              {"outputs.tf", `output "api_cname"`, `output "origin_cname"`, "twice"},
		"block of nobody":    {"outputs.tf", `output "api_cname"`, `outputs "api_cname"`, "none that a module has"},
	} {
		bad := maps.Clone(files)
		bad[c.file] = strings.Replace(bad[c.file], c.old, c.replace, 1)
		if bad[c.file] == files[c.file] {
			t.Errorf("%s: %s has no %q", name, c.file, c.old)
			continue
		}
		var found []string
		if m, err := parseTerraform(bad); err != nil {
			found = []string{err.Error()}
		} else {
			found = m.faults(p)
		}
		if !slices.ContainsFunc(found, func(w string) bool { return strings.Contains(w, c.want) }) {
			t.Errorf("%s: the check says %q", name, found)
		}
	}
}

// literal returns the value of an argument that needs nothing else.
func literal(body *hclsyntax.Body, name string) (cty.Value, error) {
	a := body.Attributes[name]
	if a == nil {
		return cty.NilVal, fmt.Errorf("there is no %s", name)
	}
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	return v, nil
}

// said returns an argument's value as text: "true", "15", a string, or a list with commas.
func said(body *hclsyntax.Body, name string) string {
	v, err := literal(body, name)
	if err != nil {
		return ""
	}
	if v.CanIterateElements() {
		var parts []string
		for _, e := range v.AsValueSlice() {
			parts = append(parts, e.AsString())
		}
		return strings.Join(parts, ",")
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil || s.IsNull() {
		return ""
	}
	return s.AsString()
}

// sub returns a block's first block of a type.
func sub(body *hclsyntax.Body, path ...string) *hclsyntax.Body {
	for _, p := range path {
		i := slices.IndexFunc(body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == p })
		if i < 0 {
			return &hclsyntax.Body{}
		}
		body = body.Blocks[i].Body
	}
	return body
}

// architecture returns how a module differs from what README.md says of it.
func (m *terraform) architecture() (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	of := func(key string) *hclsyntax.Body {
		if b := m.blocks[key]; b != nil {
			return b.Body
		}
		say("there is no %s", key)
		return &hclsyntax.Body{}
	}
	is := func(key string, want map[string]string, path ...string) {
		body := sub(of(key), path...)
		for _, n := range slices.Sorted(maps.Keys(want)) {
			if got := said(body, n); got != want[n] {
				say("%s: %s is %q, not %q", key, strings.Join(append(path, n), "."), got, want[n])
			}
		}
	}
	// HTTP: CloudFront with a firewall, a list of calls, and 403 for everything else.
	is("aws_wafv2_web_acl.api", map[string]string{"scope": "CLOUDFRONT"})
	is("aws_lb_listener.api", map[string]string{"type": "fixed-response"}, "default_action")
	is("aws_lb_listener.api", map[string]string{"status_code": "403"}, "default_action", "fixed_response")
	is("aws_cloudfront_distribution.api", map[string]string{"viewer_protocol_policy": "https-only"}, "default_cache_behavior")
	is("aws_cloudfront_distribution.api", map[string]string{"origin_protocol_policy": "https-only"}, "origin", "custom_origin_config")
	var conditions []string
	for _, b := range of("aws_lb_listener_rule.allowed").Blocks {
		if b.Type == "condition" {
			conditions = append(conditions, b.Body.Blocks[0].Type)
		}
	}
	slices.Sort(conditions)
	if !slices.Equal(conditions, []string{"http_header", "http_request_method", "path_pattern"}) {
		say("a call is let through by %q", conditions)
	}
	m.allowList(say)
	// Players: UDP, and WebSockets passed through, with their own addresses.
	is("aws_lb.players", map[string]string{"load_balancer_type": "network"})
	is("aws_lb_listener.udp", map[string]string{"protocol": "UDP"})
	is("aws_lb_target_group.udp", map[string]string{"protocol": "UDP", "target_type": "ip", "preserve_client_ip": "true"})
	is("aws_lb_target_group.udp", map[string]string{"path": "/ready", "protocol": "HTTP"}, "health_check")
	// A player who comes from another port comes to the same gateway: another one knows neither the
	// session nor whether Nakama has signed the player in.
	for _, group := range []string{"udp", "carrier"} {
		is("aws_lb_target_group."+group, map[string]string{"enabled": "true", "type": "source_ip"}, "stickiness")
	}
	// A gateway's WebSockets and Nakama's are both at 443, on load balancers of their own, and each of both
	// listeners leads to its own.
	is("aws_lb.sockets", map[string]string{"load_balancer_type": "network"})
	is("aws_lb_listener.carrier", map[string]string{"protocol": "TCP", "port": "443"})
	is("aws_lb_listener.websockets", map[string]string{"port": "443"})
	is("aws_lb_target_group.carrier", map[string]string{"protocol": "TCP", "target_type": "ip", "preserve_client_ip": "true"})
	is("aws_lb_target_group.carrier", map[string]string{"path": "/ready", "protocol": "HTTP"}, "health_check")
	for listener, want := range map[string][2]string{
		"udp": {"players", "udp"}, "carrier": {"players", "carrier"}, "websockets": {"sockets", "websockets"},
	} {
		b := of("aws_lb_listener." + listener)
		at, to := b.Attributes["load_balancer_arn"], sub(b, "default_action").Attributes["target_group_arn"]
		if at == nil || to == nil || spelled(at.Expr) != "aws_lb."+want[0]+".arn" || spelled(to.Expr) != "aws_lb_target_group."+want[1]+".arn" {
			say("aws_lb_listener.%s is not on aws_lb.%s, or does not lead to aws_lb_target_group.%s", listener, want[0], want[1])
		}
	}
	served := map[string]string{} // by which port of which container
	for _, service := range []string{"nakama", "gateway"} {
		for _, b := range of("aws_ecs_service." + service).Blocks {
			if b.Type == "load_balancer" {
				served[spelled(b.Body.Attributes["target_group_arn"].Expr)] = said(b.Body, "container_name") + " " + spelled(b.Body.Attributes["container_port"].Expr)
			}
		}
	}
	for group, want := range map[string]string{
		"udp": "gateway local.ports.players", "carrier": "gateway local.ports.websocket",
		"websockets": "nakama local.ports.nakama", "api": "nakama local.ports.nakama",
	} {
		if got := served["aws_lb_target_group."+group+".arn"]; got != want {
			say("aws_lb_target_group.%s is served by %q, not %q", group, got, want)
		}
	}
	is("aws_lb_target_group.websockets", map[string]string{"protocol": "TCP", "preserve_client_ip": "true"})
	for _, n := range []string{"nakama", "gateway"} {
		is("aws_ecs_service."+n, map[string]string{"launch_type": "FARGATE"})
		is("aws_ecs_service."+n, map[string]string{"assign_public_ip": "false"}, "network_configuration")
		if of("aws_ecs_task_definition." + n).Attributes["task_role_arn"] != nil {
			say("what runs as %s has a role on AWS", n)
		}
	}
	// Gateways verify sessions of Nakama, with a key of which package token asks that much. With a
	// flag about Cognito they would not start.
	if !strings.Contains(said(of("var.nakama_secrets_arn"), "description"), "session_key has 32 bytes or more") {
		say("var.nakama_secrets_arn does not say how long a session_key is")
	}
	for key, b := range m.blocks {
		if strings.Contains(said(b.Body, "description"), "-cognito-") {
			say("%s is for a flag that gateways cannot have", key)
		}
	}
	// Cognito: passwords reach nobody, and tokens are short.
	is("aws_cognito_user_pool_client.game", map[string]string{
		"explicit_auth_flows": "ALLOW_USER_SRP_AUTH,ALLOW_REFRESH_TOKEN_AUTH", "generate_secret": "false",
		"prevent_user_existence_errors": "ENABLED", "enable_token_revocation": "true",
	})
	is("aws_cognito_user_pool_client.game", map[string]string{"access_token": "minutes"}, "token_validity_units")
	// The whole world reaches the network load balancers, and nothing else.
	for key, b := range m.blocks {
		if b.Type == "resource" && b.Labels[0] == "aws_vpc_security_group_ingress_rule" && b.Body.Attributes["cidr_ipv4"] != nil {
			if a := b.Body.Attributes["security_group_id"]; a == nil || spelled(a.Expr) != "aws_security_group.edge.id" && spelled(a.Expr) != "aws_security_group.sockets.id" {
				say("%s lets addresses in", key)
			}
		}
		if a := b.Body.Attributes["ip_protocol"]; a != nil && said(b.Body, "ip_protocol") == "-1" {
			say("%s lets every protocol through", key)
		}
	}
	return wrong
}

// allowList says what is wrong with the calls that are let through by default.
func (m *terraform) allowList(say func(string, ...any)) {
	b := m.blocks["var.allowed"]
	if b == nil {
		say("there is no list of calls")
		return
	}
	v, err := literal(b.Body, "default")
	if err != nil {
		say("the list of calls: %v", err)
		return
	}
	priorities, paths := map[string]bool{}, map[string]bool{}
	for name, call := range v.AsValueMap() {
		path := call.GetAttr("path").AsString()
		priority := call.GetAttr("priority").AsBigFloat().String()
		if priorities[priority] {
			say("%s has the priority of another call", name)
		}
		priorities[priority], paths[path] = true, true
		// By these a player would claim another's account, or sign in past the check of the token.
		for _, closed := range []string{
			"/v2/account/link/custom", "/v2/account/unlink/custom", "/v2/account/authenticate/device", "/v2/account/authenticate/email",
			"/v2/console/authenticate", "/v2/account/link/device",
		} {
			if path == closed || strings.HasSuffix(path, "*") && strings.HasPrefix(closed, strings.TrimSuffix(path, "*")) {
				say("%s opens %s", name, closed)
			}
		}
	}
	for _, needed := range []string{"/v2/account/authenticate/custom", "/v2/account/session/refresh", "/healthcheck"} {
		if !paths[needed] {
			say("the list of calls has no %s", needed)
		}
	}
}

// The module is the architecture that README.md draws.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	files, m, _ := needTerraform(t)
	for _, w := range m.architecture() {
		t.Error(w)
	}
	for name, c := range map[string]struct{ file, old, replace, want string }{
		"forward":     {"api.tf", `type = "fixed-response"`, `type = "forward"`, "is \"forward\""},
		"200":         {"api.tf", `status_code  = "403"`, `status_code  = "200"`, "status_code"},
		"no secret":   {"api.tf", "  condition {\n    http_header {\n      http_header_name = \"X-Origin-Secret\"\n      values           = [var.origin_secret]\n    }\n  }\n", "", "is let through by"},
		"all of v2":   {"variables.tf", "/v2/rpc/*", "/v2/*", "opens /v2/account/link/custom"},
		"devices":     {"variables.tf", "/v2/account/authenticate/custom", "/v2/account/authenticate/*", "opens /v2/account/authenticate/device"},
		"no sign-in":  {"variables.tf", "/v2/account/authenticate/custom", "/v2/account/authenticate", "has no /v2/account/authenticate/custom"},
		"priority":    {"variables.tf", "priority = 20", "priority = 30", "the priority of another"},
		"addresses":   {"players.tf", "preserve_client_ip = true", "preserve_client_ip = false", "preserve_client_ip"},
		"not sticky":  {"players.tf", "  stickiness {\n    enabled = true", "  stickiness {\n    enabled = false", "stickiness.enabled"},
		"sticky how":  {"players.tf", `type    = "source_ip"`, `type    = "lb_cookie"`, "stickiness.type"},
		"no udp":      {"players.tf", `"aws_lb_listener" "udp"`, `"aws_lb_listener" "udps"`, "no aws_lb_listener.udp"},
		"443 twice":   {"players.tf", "aws_lb.sockets.arn", "aws_lb.players.arn", "is not on aws_lb.sockets"},
		"to nakama":   {"players.tf", "target_group_arn = aws_lb_target_group.carrier.arn", "target_group_arn = aws_lb_target_group.websockets.arn", "does not lead to aws_lb_target_group.carrier"},
		"no carrier":  {"services.tf", "container_port   = local.ports.websocket", "container_port   = local.ports.players", "is served by"},
		"password":    {"cognito.tf", "ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "explicit_auth_flows"},
		"secret":      {"cognito.tf", "generate_secret     = false", "generate_secret     = true", "generate_secret"},
		"short key":   {"variables.tf", "32 bytes", "16 bytes", "how long a session_key is"},
		"flag":        {"outputs.tf", "for the module of Nakama's that verifies its tokens", "for -cognito-pool", "for a flag that"},
		"hours":       {"cognito.tf", `access_token  = "minutes"`, `access_token  = "hours"`, "access_token"},
		"open":        {"firewall.tf", "prefix_list_id    = data.aws_ec2_managed_prefix_list.cloudfront.id", `cidr_ipv4         = "0.0.0.0/0"`, "lets addresses in"},
		"every":       {"firewall.tf", `ip_protocol       = "tcp"`, `ip_protocol       = "-1"`, "every protocol"},
		"public task": {"services.tf", "assign_public_ip = false", "assign_public_ip = true", "assign_public_ip"},
		"task's role": {"services.tf", "execution_role_arn       = aws_iam_role.nakama.arn", "task_role_arn       = aws_iam_role.nakama.arn", "has a role"},
	} {
		bad := maps.Clone(files)
		bad[c.file] = strings.Replace(bad[c.file], c.old, c.replace, 1)
		m, err := parseTerraform(bad)
		if err != nil || bad[c.file] == files[c.file] {
			t.Errorf("%s: nothing was spoilt (%v)", name, err)
			continue
		}
		if found := m.architecture(); !slices.ContainsFunc(found, func(w string) bool { return strings.Contains(w, c.want) }) {
			t.Errorf("%s: the check says %q", name, found)
		}
	}
}

// Cognito's tokens live no longer than the library takes them.
func TestTokenLife(t *testing.T) {
	t.Parallel()
	_, m, _ := needTerraform(t)
	text, err := os.ReadFile("../docs/deploy.md") // a test holds it to package token
	if err != nil || !strings.Contains(strings.Join(strings.Fields(string(text)), " "), "those of Amazon Cognito with up to 1 hour") {
		t.Fatalf("docs/deploy.md does not say how long tokens of Cognito may live (%v)", err)
	}
	life, err := literal(m.blocks["aws_cognito_user_pool_client.game"].Body, "access_token_validity")
	if err != nil {
		t.Fatal(err)
	}
	if minutes, _ := life.AsBigFloat().Int64(); minutes < 5 || minutes > 60 {
		t.Errorf("access tokens live for %d minutes", minutes)
	}
}

// gatewayArguments are the flags of the task on Fargate, with what Terraform fills in left out.
func gatewayArguments(t *testing.T) (args []string) {
	t.Helper()
	_, m, _ := needTerraform(t)
	hclsyntax.VisitAll(m.blocks["aws_ecs_task_definition.gateway"].Body, func(n hclsyntax.Node) hcl.Diagnostics { //nolint:errcheck // none
		if e, ok := n.(*hclsyntax.TemplateExpr); ok {
			if v, diags := e.Parts[0].Value(nil); !diags.HasErrors() && strings.HasPrefix(v.AsString(), "-") && v.AsString() != "-ec" {
				args = append(args, v.AsString())
			}
		}
		return nil
	})
	if len(args) < 7 {
		t.Fatalf("the task on Fargate has only %q", args)
	}
	return args
}
