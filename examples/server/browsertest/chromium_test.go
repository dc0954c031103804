package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/sallyport/sallyport/internal/testkit"
)

// patience is how long anything may take before it counts as broken.
const patience = 15 * time.Second

// names are those under which Chromium may be installed.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// find returns where Chromium is.
func find() (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium is installed")
}

// chromium is the path of the browser. CI installs one; elsewhere a missing one skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	path, err := find()
	if err != nil && os.Getenv("CI") != "" {
		if err = testkit.Install("chromium", "fonts-dejavu-core"); err == nil {
			path, err = find()
		}
	}
	testkit.Need(t, err)
	return path
}

// browser is a tab, and what went wrong in it.
type browser struct {
	ctx context.Context

	mu       sync.Mutex
	requests []string // URLs, also of those that the page's policy kept from leaving
	trouble  []string // uncaught exceptions, errors on the console, violations of the policy
}

// open starts a browser of the test's own, with a window of 1280 by 800.
func open(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.WindowSize(1280, 800), chromedp.NoSandbox, chromedp.DisableGPU)
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &browser{ctx: ctx}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	command(t, b, network.Enable, network.EnableParams{})
	command(t, b, runtime.Enable, cdp.Empty{})
	command(t, b, log.Enable, cdp.Empty{})
	return b
}

// note is told what happens in the tab.
func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *network.EventWebSocketCreated:
		b.requests = append(b.requests, e.URL)
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.trouble = append(b.trouble, fmt.Sprintf("console %s", e.Type))
		}
	case *log.EventEntryAdded:
		b.trouble = append(b.trouble, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	}
}

// do does one thing after the other.
func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("browser: %v", err)
	}
}

// command gives the browser one command of its protocol.
func command[P any](t *testing.T, b *browser, c cdp.Command[P, cdp.Empty], params P) {
	t.Helper()
	if _, err := chromedp.Call(b.ctx, c, params); err != nil {
		t.Fatalf("browser: %v", err)
	}
}

// value is what a JavaScript expression comes to.
func value[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until a JavaScript expression comes to true.
func (b *browser) await(t *testing.T, expression string) {
	t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(patience)))
	if err != nil {
		t.Fatalf("never true: %s: %v", expression, err)
	}
}

// clean wants that the page asked nobody but its own server, and that nothing went wrong.
func (b *browser) clean(t *testing.T, server string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, url := range b.requests {
		if !strings.HasPrefix(url, server+"/") && url != "data:," {
			t.Errorf("a request to %s", url)
		}
	}
	for _, what := range b.trouble {
		t.Error(what)
	}
	if len(b.requests) == 0 {
		t.Error("no request was seen at all")
	}
}
