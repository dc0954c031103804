package reload

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Files are read again once for each signal and each change, and a file that is gone or comes is a change.
func TestWatch(t *testing.T) {
	name := filepath.Join(t.TempDir(), "cert.pem")
	write := func(text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		hup := make(chan os.Signal)
		var calls []string
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			Watch(ctx, hup, []string{"", name}, func(told bool) { calls = append(calls, fmt.Sprint(told)) })
		}()
		expect := func(what string, want ...string) {
			t.Helper()
			time.Sleep(3 * every)
			synctest.Wait()
			if !slices.Equal(calls, want) {
				t.Errorf("%s: %v, not %v", what, calls, want)
			}
			calls = nil
		}
		expect("nothing has changed")
		write("another")
		expect("it has changed", "false")
		hup <- os.Interrupt
		expect("a signal", "true")
		write("a third, and a signal")
		hup <- os.Interrupt
		expect("a signal for a change", "true")
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		expect("it is gone", "false")
		write("back")
		expect("it is back", "false")
		stop()
		<-ended
	})
}
