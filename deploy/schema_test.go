package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// published are the Go modules that have the schemas as files, with the sums of their contents. Nothing of
// them is compiled, so go.mod has none of them.
var published = map[string]struct{ version, sum string }{
	// Kubernetes' own. The newest that this module has are those of 1.30; what is used here has not
	// changed since but by additions.
	"sigs.k8s.io/kubectl-validate":                       {"v0.0.4", "h1:tGKuv0awYHn11Cb6KPsZKxUmHgavF46K3NvVH0Nse9U="},
	"istio.io/api":                                       {"v1.32.0", "h1:37mJvg9I0biYZAEQF+MATs4FNeCpXEIVO3LFpVb6iNM="},
	"github.com/prometheus-operator/prometheus-operator": {"v0.85.0", "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="},
}

// module returns the folder of one of published.
func module(path string) (string, error) {
	m := published[path]
	out, err := exec.Command("go", "mod", "download", "-json", path+"@"+m.version).Output()
	var answer struct{ Dir, Sum, Error string }
	if e := json.Unmarshal(out, &answer); e != nil {
		return "", fmt.Errorf("go mod download %s: %w", path, errors.Join(err, e))
	}
	switch {
	case answer.Error != "":
		return "", fmt.Errorf("go mod download %s: %s", path, answer.Error)
	case answer.Sum != m.sum:
		return "", fmt.Errorf("%s@%s has the sum %s, not %s", path, m.version, answer.Sum, m.sum)
	}
	return answer.Dir, nil
}

// schemas knows a schema for each kind. It is safe for concurrent use.
type schemas struct {
	url map[string]string // of a kind

	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

const schemaBase = "https://schemas.invalid/"

// loadSchemas reads all schemas once for all tests.
var loadSchemas = sync.OnceValues(func() (*schemas, error) {
	s := &schemas{url: map[string]string{}, compiler: jsonschema.NewCompiler()}
	kubernetes, err := module("sigs.k8s.io/kubectl-validate")
	if err != nil {
		return nil, err
	}
	definitions := map[string]any{}
	for _, group := range []string{"api/v1", "apis/apps/v1", "apis/autoscaling/v2", "apis/networking.k8s.io/v1", "apis/policy/v1", "apis/rbac.authorization.k8s.io/v1"} {
		if err := s.openAPI(filepath.Join(kubernetes, "pkg/openapiclient/builtins/1.30", group+".json"), definitions); err != nil {
			return nil, err
		}
	}
	istio, err := module("istio.io/api")
	if err != nil {
		return nil, err
	}
	operator, err := module("github.com/prometheus-operator/prometheus-operator")
	if err != nil {
		return nil, err
	}
	for _, file := range []string{
		filepath.Join(istio, "kubernetes/customresourcedefinitions.gen.yaml"),
		filepath.Join(operator, "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"),
		filepath.Join(operator, "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"),
	} {
		if err := s.definitions(file, definitions); err != nil {
			return nil, err
		}
	}
	for _, file := range []string{"testdata/crds/agones.yaml", "testdata/crds/spire.yaml"} {
		if err := s.byHand(file, definitions); err != nil {
			return nil, err
		}
	}
	return s, s.compiler.AddResource(schemaBase, map[string]any{"$defs": definitions})
})

// needSchemas is loadSchemas for a test. Without the modules there is nothing to check against.
func needSchemas(t *testing.T) *schemas {
	t.Helper()
	s, err := loadSchemas()
	if err != nil && os.Getenv("CI") != "true" && strings.Contains(err.Error(), "go mod download") {
		t.Skip("no schemas: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// gvk names a kind as manifests do.
func gvk(group, version, kind string) string {
	return strings.TrimPrefix(group+"/"+version, "/") + " " + kind
}

// openAPI reads a group of Kubernetes' OpenAPI document.
func (s *schemas) openAPI(file string, definitions map[string]any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var document struct {
		Components struct{ Schemas map[string]map[string]any }
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for name, schema := range document.Components.Schemas {
		if _, ok := definitions[name]; ok {
			continue
		}
		definitions[name] = strict(schema)
		kinds, _ := schema["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 { // what is of every group is no manifest
			continue
		}
		k := kinds[0].(map[string]any)
		s.url[gvk(k["group"].(string), k["version"].(string), k["kind"].(string))] = schemaBase + "#/$defs/" + name
	}
	return nil
}

// definitions reads CustomResourceDefinitions.
func (s *schemas) definitions(file string, definitions map[string]any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var d struct {
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct {
						Schema map[string]any `yaml:"openAPIV3Schema"`
					}
				}
			}
		}
		if err := decoder.Decode(&d); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, v := range d.Spec.Versions {
			s.custom(definitions, d.Spec.Group, v.Name, d.Spec.Names.Kind, v.Schema.Schema)
		}
	}
}

// byHand reads what was written by hand.
func (s *schemas) byHand(file string, definitions map[string]any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var list []struct {
		Group, Version, Kind string
		Schema               map[string]any
	}
	if err := yaml.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, d := range list {
		s.custom(definitions, d.Group, d.Version, d.Kind, d.Schema)
	}
	return nil
}

// custom adds a kind that Kubernetes has not itself, with what all kinds have.
func (s *schemas) custom(definitions map[string]any, group, version, kind string, schema map[string]any) {
	properties := schema["properties"].(map[string]any)
	properties["apiVersion"] = map[string]any{"type": "string"}
	properties["kind"] = map[string]any{"type": "string"}
	properties["metadata"] = map[string]any{"$ref": "#/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
	name := strings.Join([]string{group, version, kind}, ".")
	definitions[name] = strict(schema)
	s.url[gvk(group, version, kind)] = schemaBase + "#/$defs/" + name
}

// strict makes of a schema of OpenAPI one of JSON that refuses unknown fields, as Kubernetes does.
func strict(schema map[string]any) map[string]any {
	out := map[string]any{}
	for _, key := range []string{"type", "required", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "uniqueItems", "oneOf", "anyOf", "not"} {
		if v, ok := schema[key]; ok {
			out[key] = v
		}
	}
	if ref, ok := schema["$ref"].(string); ok {
		out["$ref"] = "#/$defs/" + ref[strings.LastIndex(ref, "/")+1:]
	}
	if all, ok := schema["allOf"].([]any); ok {
		var list []any
		for _, a := range all {
			list = append(list, strict(a.(map[string]any)))
		}
		out["allOf"] = list
	}
	if items, ok := schema["items"].(map[string]any); ok {
		out["items"] = strict(items)
	}
	open := schema["x-kubernetes-preserve-unknown-fields"] == true
	switch more := schema["additionalProperties"].(type) {
	case map[string]any:
		out["additionalProperties"] = strict(more)
	case nil:
		if _, ok := schema["properties"]; ok && !open {
			out["additionalProperties"] = false
		}
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		list := map[string]any{}
		for name, p := range properties {
			list[name] = strict(p.(map[string]any))
		}
		out["properties"] = list
	}
	if schema["x-kubernetes-int-or-string"] == true {
		delete(out, "type")
		out["anyOf"] = []any{map[string]any{"type": "integer"}, map[string]any{"type": "string"}}
	}
	if t, ok := out["type"].(string); ok && schema["nullable"] == true {
		out["type"] = []any{t, "null"}
	}
	return out
}

// validate returns what is wrong with an object.
func (s *schemas) validate(object map[string]any) error {
	kind := fmt.Sprint(object["apiVersion"], " ", object["kind"])
	url, ok := s.url[kind]
	if !ok {
		return fmt.Errorf("no schema for %s", kind)
	}
	s.mu.Lock()
	schema, err := s.compiler.Compile(url) // which keeps what it has compiled
	s.mu.Unlock()
	if err != nil {
		return err
	}
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("%s %s: %w", kind, object["metadata"].(map[string]any)["name"], err)
	}
	return nil
}
