package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// installTime is how long each step of an installation may take.
const installTime = 3 * time.Minute

// Install installs Debian packages. It takes root and apt-get.
func Install(packages ...string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%v missing, and this system has no apt-get to install them with", packages)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%v missing, and only root may install them", packages)
	}
	if err := apt("update"); err != nil {
		return err
	}
	return apt(append([]string{"install", "-o", "DPkg::Lock::Timeout=120", "-y", "--no-install-recommends"}, packages...)...)
}

func apt(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), installTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %v: %w: %s", args, err, out[max(0, len(out)-300):])
	}
	return nil
}

// Need ends a test that cannot run for want of somebody else's program: err says of which. Where the environment has CI
// set, everything is to be there, and the test fails; elsewhere it is skipped.
func Need(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(err)
	default:
		t.Skipf("%v; with CI set this is a failure", err)
	}
}
