package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// validator runs `terraform validate` with internal/standin as the AWS provider.
type validator struct{ terraform, config, schema, dir string }

func newValidator(t *testing.T) validator {
	t.Helper()
	program, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("terraform is not here, and no registry of the checks has it: the files were parsed, and their references resolved")
	}
	v := validator{terraform: program, dir: t.TempDir()}
	v.config = filepath.Join(v.dir, "rc")
	if out, err := exec.Command("go", "build", "-o", filepath.Join(v.dir, "terraform-provider-aws"), "./internal/standin").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rc := fmt.Sprintf("disable_checkpoint = true\nprovider_installation {\n  dev_overrides {\n    \"hashicorp/aws\" = %q\n  }\n  direct {}\n}\n", v.dir)
	if err := os.WriteFile(v.config, []byte(rc), 0o600); err != nil {
		t.Fatal(err)
	}
	if v.schema, err = filepath.Abs("testdata/aws.json"); err != nil {
		t.Fatal(err)
	}
	return v
}

// validate returns the errors of a module.
func (v validator) validate(t *testing.T, files map[string]string) (wrong []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(v.terraform, "validate", "-json")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+v.config, "SALLYPORT_STANDIN="+v.schema, "CHECKPOINT_DISABLE=1", "TF_DATA_DIR="+dir)
	out, err := cmd.Output()
	var answer struct {
		Valid       bool
		Diagnostics []struct{ Severity, Summary, Detail string }
	}
	if e := json.Unmarshal(out, &answer); e != nil {
		t.Fatalf("terraform validate: %v, %v: %s", err, e, out)
	}
	for _, d := range answer.Diagnostics {
		if d.Severity == "error" {
			wrong = append(wrong, d.Summary+": "+d.Detail)
		}
	}
	if answer.Valid != (len(wrong) == 0) {
		t.Fatalf("terraform validate: %s", out)
	}
	return wrong
}

// Terraform itself takes the module, and refuses what only it looks at: types, functions' arguments and
// cycles.
func TestTerraformValidate(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	files, err := readTerraform("aws")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range v.validate(t, files) {
		t.Error(w)
	}
	for name, c := range map[string]struct{ file, old, replace, want string }{
		"for_each of a number": {"api.tf", "for_each     = var.allowed", "for_each     = var.zones", "for_each"},
		"arguments":            {"network.tf", "cidrsubnet(var.cidr, 8, count.index)", "cidrsubnet(var.cidr, 8)", "function"},
		"type":                 {"network.tf", "enable_dns_support   = true", "enable_dns_support   = [true]", "enable_dns_support"},
		"cycle":                {"firewall.tf", `description = "Nakama"`, "description = aws_security_group.gateway.description\n  tags = { a = aws_vpc_security_group_egress_rule.gateway_to_nakama.id }", "Cycle"},
		"default":              {"variables.tf", "default     = 2", `default     = "two"`, "default"},
	} {
		bad := maps.Clone(files)
		bad[c.file] = strings.Replace(bad[c.file], c.old, c.replace, 1)
		if found := strings.Join(v.validate(t, bad), "\n"); !strings.Contains(found, c.want) {
			t.Errorf("%s: terraform says %q", name, found)
		}
	}
}

// Terraform's own formatter has nothing to change: it knows rules that hclwrite does not.
func TestTerraformFormat(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("terraform is not here: the layout was held to hclwrite alone")
	}
	format := func(dir string) (string, error) {
		cmd := exec.Command(program, "fmt", "-check", "-diff", "-recursive", dir)
		cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+os.DevNull, "CHECKPOINT_DISABLE=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := format("aws"); err != nil {
		t.Errorf("run terraform fmt: %v\n%s", err, out)
	}
	dir := t.TempDir()
	// hclwrite leaves an interpolation that holds nothing else, and quoted types.
	if err := os.WriteFile(filepath.Join(dir, "bad.tf"), []byte("variable \"x\" {\n  type = \"string\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := format(dir); err == nil || !strings.Contains(out, "-  type") {
		t.Errorf("terraform fmt leaves a quoted type: %v\n%s", err, out)
	}
}
