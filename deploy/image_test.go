package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// instruction is a line of a Dockerfile.
type instruction struct{ name, args string }

// stages splits a Dockerfile at its FROM lines.
func stages(text string) (list [][]instruction, err error) {
	for n, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, args, ok := strings.Cut(line, " ")
		known := []string{"FROM", "ARG", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "ENTRYPOINT", "ENV", "CMD", "LABEL", "ADD"}
		if !ok || !slices.Contains(known, name) {
			return nil, fmt.Errorf("line %d: %q is no instruction", n+1, line)
		}
		if name == "FROM" {
			list = append(list, nil)
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("line %d: %s before FROM", n+1, name)
		}
		list[len(list)-1] = append(list[len(list)-1], instruction{name, args})
	}
	return list, nil
}

// of returns the arguments of the instructions of a name.
func of(stage []instruction, name string) (args []string) {
	for _, i := range stage {
		if i.name == name {
			args = append(args, i.args)
		}
	}
	return args
}

// imageFaults returns what is wrong with a Dockerfile whose context is the folder root.
func imageFaults(text, root string) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	list, err := stages(text)
	if err != nil {
		return []string{err.Error()}
	}
	if len(list) != 2 {
		return []string{fmt.Sprintf("%d stages, not one that builds and one that runs", len(list))}
	}
	build, run := list[0], list[1]
	if from := of(run, "FROM")[0]; !strings.HasPrefix(from, "gcr.io/distroless/static") || !strings.HasSuffix(from, ":nonroot") {
		say("the image is made from %s", from)
	}
	if user := of(run, "USER"); len(user) != 1 || user[0] != "65532:65532" {
		say("it runs as %q", user)
	}
	if len(of(run, "RUN")) > 0 {
		say("there is nothing in the image that could run a command")
	}
	if len(of(build, "ADD"))+len(of(run, "ADD")) > 0 {
		say("ADD fetches and unpacks: use COPY")
	}
	var command []string
	if e := of(run, "ENTRYPOINT"); len(e) != 1 || json.Unmarshal([]byte(e[0]), &command) != nil || len(command) == 0 {
		say("ENTRYPOINT needs the form of a list: there is no shell")
	} else if !slices.ContainsFunc(of(run, "COPY"), func(c string) bool { return strings.HasSuffix(c, " "+command[0]) }) {
		say("nothing is copied to %s", command[0])
	}
	built := strings.Join(of(build, "RUN"), "\n")
	if !strings.Contains(built, "CGO_ENABLED=0 go build") || !strings.Contains(built, "-trimpath") {
		say("the program is not static, or has paths of the machine that built it")
	}
	downloaded := false
	sources := map[string]bool{}
	for _, i := range build {
		fields := strings.Fields(i.args)
		switch {
		case i.name == "RUN" && strings.HasPrefix(i.args, "go mod download"):
			downloaded = true
		case i.name == "COPY":
			for _, f := range fields[:len(fields)-1] {
				if strings.HasPrefix(f, "--") {
					continue
				}
				if _, err := os.Stat(filepath.Join(root, f)); err != nil {
					say("COPY %s: there is no such file", f)
				}
				if !downloaded {
					sources[f] = true
				}
			}
		}
	}
	// go mod download reads the go.mod of each module that another one takes from a folder.
	for module := range sources {
		if filepath.Base(module) != "go.mod" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, module))
		if err != nil {
			continue
		}
		for _, m := range regexp.MustCompile(`=> (\.\S*)`).FindAllStringSubmatch(string(text), -1) {
			needed := filepath.Join(filepath.Dir(module), m[1], "go.mod")
			if !sources[needed] {
				say("%s replaces a module by %s, which is not copied before go mod download", module, needed)
			}
		}
	}
	return wrong
}

// The image is a static program in an image that has nothing else, and runs as nobody.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range imageFaults(string(text), "..") {
		t.Error(w)
	}
	for old, c := range map[string]struct{ replace, want string }{
		"gcr.io/distroless/static-debian12:nonroot":    {"debian:12", "is made from"},
		"USER 65532:65532\n":                           {"", "runs as"},
		"USER 65532":                                   {"USER 0", "runs as"},
		`ENTRYPOINT ["/sallyport"]`:                    {"ENTRYPOINT /sallyport", "no shell"},
		"/program /sallyport":                          {"/program /sally", "nothing is copied"},
		"CGO_ENABLED=0 ":                               {"", "not static"},
		"-trimpath ":                                   {"", "paths of the machine"},
		"COPY fleet/go.mod fleet/go.sum /src/fleet/\n": {"", "not copied before"},
		"COPY go.mod":                                  {"COPY go.mode", "no such file"},
		"COPY . /src":                                  {"ADD . /src", "ADD"},
		"WORKDIR":                                      {"WORKDIRS", "no instruction"},
		"EXPOSE":                                       {"RUN true\nEXPOSE", "could run"},
	} {
		bad := strings.Replace(string(text), old, c.replace, 1)
		if found := imageFaults(bad, ".."); bad == string(text) || !slices.ContainsFunc(found, func(w string) bool { return strings.Contains(w, c.want) }) {
			t.Errorf("%s: the check says %q", c.replace, found)
		}
	}
	// Its programs exist.
	for _, program := range regexp.MustCompile(`PROGRAM=(\S+)`).FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat("../gateway/cmd/" + program[1]); err != nil {
			t.Errorf("module gateway has no %s", program[1])
		}
	}
}

// unit is a file of systemd: sections, and their settings in order.
type unit map[string][]instruction

// readUnit parses a unit.
func readUnit(file string) (unit, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseUnit(string(text))
}

func parseUnit(text string) (unit, error) {
	u, section := unit{}, ""
	for n, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		key, v, ok := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		case !ok || section == "":
			return nil, fmt.Errorf("line %d: %q is no setting", n+1, line)
		default:
			u[section] = append(u[section], instruction{key, v})
		}
	}
	return u, nil
}

// one returns the last value of a setting.
func (u unit) one(section, name string) string {
	all := of(u[section], name)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// hardened are the settings by which examples/server/deploy confines a match server; a sidecar gets no
// fewer.
func (u unit) hardened(t *testing.T) (missing []string) {
	t.Helper()
	model, err := readUnit("../examples/server/deploy/sallyport.service")
	if err != nil {
		t.Fatal(err)
	}
	confines := regexp.MustCompile(`^(Protect|Private|Restrict|NoNew|Lock|Memory|SystemCall|Capability|Remove|ProcSubset|UMask|User$)`)
	n := 0
	for _, i := range model["Service"] {
		if !confines.MatchString(i.name) {
			continue
		}
		n++
		if !slices.Contains(u["Service"], i) {
			missing = append(missing, i.name+"="+i.args)
		}
	}
	if n < 20 {
		t.Fatalf("the model has only %d settings that confine", n)
	}
	return missing
}

// The unit is what systemd takes, without a warning, and as confined as that of a match server.
func TestUnit(t *testing.T) {
	t.Parallel()
	const file = "systemd/sallyport-sidecar.service"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	u, err := parseUnit(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range u.hardened(t) {
		t.Errorf("%s lacks %s", file, m)
	}
	weak, err := parseUnit(strings.Replace(string(text), "NoNewPrivileges=yes\n", "", 1))
	if err != nil || !slices.Equal(weak.hardened(t), []string{"NoNewPrivileges=yes"}) {
		t.Errorf("without NoNewPrivileges the check finds %q (%v)", weak.hardened(t), err)
	}
	if _, err := parseUnit("ExecStart\n"); err == nil {
		t.Error("what is no setting is taken for one")
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here: the unit was parsed, and systemd itself was not asked")
	}
	verify := func(text string) string {
		// systemd looks whether the program exists.
		copied := filepath.Join(t.TempDir(), "sallyport-sidecar.service")
		text = strings.ReplaceAll(text, "/usr/local/bin/sallyport-sidecar", "/bin/true")
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(analyze, "verify", copied).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		// It speaks of the machine's other units, too.
		var about []string
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "sallyport") {
				about = append(about, line)
			}
		}
		return strings.Join(about, "")
	}
	if out := verify(string(text)); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	if out := verify(strings.Replace(string(text), "PrivateTmp=", "PrivateTemp=", 1)); !strings.Contains(out, "PrivateTemp") {
		t.Errorf("of an unknown setting systemd-analyze says %q", out)
	}
}

// sysctlFaults returns what is wrong with a file of kernel settings.
func sysctlFaults(text string, buffer int) (wrong []string) {
	found := map[string]string{}
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, v, ok := strings.Cut(line, "=")
		key, v = strings.TrimSpace(key), strings.TrimSpace(v)
		if _, err := strconv.Atoi(v); !ok || err != nil || !strings.HasPrefix(key, "net.") {
			wrong = append(wrong, fmt.Sprintf("line %d: %q is no number for the network", n+1, line))
		}
		if found[key] != "" {
			wrong = append(wrong, key+" is there twice")
		}
		found[key] = v
	}
	for _, key := range []string{"net.core.rmem_max", "net.core.wmem_max"} {
		if found[key] != strconv.Itoa(buffer) {
			wrong = append(wrong, fmt.Sprintf("%s is %q; a socket asks for %d", key, found[key], buffer))
		}
	}
	return wrong
}

// The kernel's limits let a socket have the buffers that it asks for, and the kernel knows their names.
func TestSysctl(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("sysctl/60-sallyport.conf")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../docs/deploy.md") // a test holds it to the code
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`net\.core\.rmem_max = (\d+)`).FindSubmatch(document)
	if m == nil {
		t.Fatal("docs/deploy.md does not say how large net.core.rmem_max has to be")
	}
	buffer, _ := strconv.Atoi(string(m[1])) // digits
	for _, w := range sysctlFaults(string(text), buffer) {
		t.Error(w)
	}
	for _, bad := range []string{"", "net.core.rmem_max = 1\nnet.core.wmem_max = 1\n", "net.core.rmem_max 4194304\n", string(text) + "net.core.wmem_max = 4194304\n"} {
		if len(sysctlFaults(bad, buffer)) == 0 {
			t.Errorf("the check has nothing to say about %q", bad)
		}
	}
}
