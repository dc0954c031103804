//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// nakamaModule is the server, a tool of this module.
const nakamaModule = "github.com/heroiclabs/nakama/v3"

// programs is the folder that the plugin and the server are built into.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "nakama-programs")
	if err != nil {
		panic(err)
	}
	programs = dir
	code := m.Run()
	os.RemoveAll(dir) //nolint:errcheck // a folder in the system's temporary one
	os.Exit(code)
}

// buildPlugin builds what README.md says, by the command that it says.
func buildPlugin(t *testing.T, tag string) string {
	t.Helper()
	return build(t, filepath.Join("modules"+tag, "sallyport.so"), "-buildmode=plugin", "-tags="+tag, ".")
}

// measureVariable says for how long TestMeasureGateway measures; without it the test does not run.
const measureVariable = "SALLYPORT_MEASURE"

// unshared are the packages of the server that take longest to compile and that the plugin does not link. Where nothing
// is measured, they are compiled without optimization, in half the time. What both link has to be compiled alike.
var unshared = []string{nakamaModule, "github.com/dop251/goja", "github.com/jackc/pgx/v5"}

// buildServer builds Nakama itself, from the same go.mod and by the same toolchain.
func buildServer(t *testing.T) string {
	t.Helper()
	var args []string
	if os.Getenv(measureVariable) == "" {
		for _, path := range unshared {
			args = append(args, "-gcflags="+path+"/...=-N -l")
		}
	}
	return build(t, "nakama", append(args, nakamaModule)...)
}

func build(t *testing.T, name string, args ...string) string {
	t.Helper()
	file := filepath.Join(programs, name)
	cmd := exec.Command("go", append([]string{"build", "-trimpath", "-o", file}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %v: %v\n%s", args, err, out)
	}
	return file
}
