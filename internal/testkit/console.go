package testkit

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a program may take to print what it prints within milliseconds.
const patience = 20 * time.Second

// Console is what a program prints, read while it runs. It is safe for concurrent use.
type Console struct {
	mu sync.Mutex
	// +checklocks:mu
	text bytes.Buffer
}

// Write never fails.
func (c *Console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

// String is everything until now.
func (c *Console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// Await waits for text.
func (c *Console) Await(t testing.TB, text string) {
	t.Helper()
	c.await(t, text, func(s string) bool { return strings.Contains(s, text) })
}

// Find waits for the first match of a pattern, and returns its last group.
func (c *Console) Find(t testing.TB, pattern string) (group string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	c.await(t, pattern, func(s string) bool {
		m := re.FindStringSubmatch(s)
		if m != nil {
			group = m[len(m)-1]
		}
		return m != nil
	})
	return group
}

func (c *Console) await(t testing.TB, what string, in func(string) bool) {
	t.Helper()
	for end := time.Now().Add(patience); !in(c.String()); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %q in %q", what, c)
		}
	}
}
