package chain

import (
	"bufio"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/auditchain"
)

// ErrConfig is returned by NewVerifier for a configuration that cannot work.
var ErrConfig = errors.New("chain: bad configuration")

// Config configures a Verifier.
type Config struct {
	// Keys are those that may have signed a head. At least one.
	Keys []ed25519.PublicKey

	// AnyOrder takes lines in any order, as from a SIEM: none is Misplaced. Lines that arrive in the
	// order in which they were written need the least memory.
	AnyOrder bool

	// Report is called with each finding, by the goroutine that calls Read or Close. Nil means
	// that they are only counted.
	Report func(Finding)
}

// Summary is what a Verifier has read.
type Summary struct {
	Lines  uint64    // of chains
	Chains uint64    // with a line
	Heads  uint64    // with a good signature
	Signed time.Time // of the newest of them

	Lost, Suppressed uint64       // events that the lines state
	Findings         map[Kind]int // how many, by kind; nil if there are none
}

// Faults returns how many findings are faults.
func (s Summary) Faults() (n int) {
	for k, count := range s.Findings {
		if k.Fault() {
			n += count
		}
	}
	return n
}

// Verifier reads files and says what is wrong with their chains. Its memory does not grow with the
// number of lines that are in order. It is not safe for concurrent use.
type Verifier struct {
	config Config
	keys   map[string]ed25519.PublicKey // by KeyID

	chains map[string]*track
	runs   int    // of all chains
	clock  uint64 // counts lines, to know which chain has been without one for the longest time

	at       place
	fragment *Finding // lines right before this one that are not even JSON
	waiting  *Finding // to which the next one may belong
	summary  Summary
}

// place is where a line stands.
type place struct {
	file string
	line int
}

// NewVerifier returns a Verifier. The error matches ErrConfig.
func NewVerifier(c Config) (*Verifier, error) {
	v := &Verifier{config: c, keys: make(map[string]ed25519.PublicKey), chains: make(map[string]*track)}
	for _, k := range c.Keys {
		if len(k) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%w: a key of %d bytes is none of Ed25519", ErrConfig, len(k))
		}
		v.keys[KeyID(k)] = slices.Clone(k)
	}
	if len(v.keys) == 0 {
		return nil, fmt.Errorf("%w: Keys are missing: without one nothing shows who has written the lines", ErrConfig)
	}
	return v, nil
}

// Read reads a file; name is what findings call it. Files are to be read in the order in which they
// were written. The error is that of r.
func (v *Verifier) Read(name string, r io.Reader) error {
	v.at = place{name, 0}
	lines := bufio.NewReaderSize(r, maxLine+1)
	for {
		text, err := lines.ReadSlice('\n')
		if len(text) > 0 {
			v.at.line++
			v.take(text)
		}
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a line that is too long
			_, err = lines.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("chain: %s: %w", name, err)
		}
	}
}

// Close judges what only the end shows, and returns the summary. The Verifier must not be used
// afterwards.
func (v *Verifier) Close() Summary {
	v.settle(false)
	for _, t := range v.oldest() {
		v.finish(t)
	}
	v.flush()
	return v.summary
}

// take looks at a line, which may end with a line feed.
func (v *Verifier) take(text []byte) {
	whole := text[len(text)-1] == '\n'
	if whole {
		text = text[:len(text)-1]
	}
	l, ok := parse(text)
	if !ok {
		v.foreign(text, whole)
		return
	}
	v.settle(l.link.Head == auditchain.Begin && l.link.Torn)
	v.summary.Lines++
	v.summary.Lost += l.lost
	v.summary.Suppressed += l.suppressed
	t := v.track(l.chain)
	if !t.here {
		t.here = true
		v.summary.Chains++
	}
	signed := l.link.Head != "" && v.signature(t, text, &l)
	v.place(t, &l)
	v.head(t, &l, signed)
	if l.lost > 0 {
		v.report(Finding{Kind: Lost, Chain: t.id, From: l.sequence, To: l.sequence, Events: l.lost, File: v.at.file, Line: v.at.line})
	}
}

// foreign is a line that is none of a chain: one from elsewhere, or one that was cut off.
func (v *Verifier) foreign(text []byte, whole bool) {
	f := &Finding{Kind: Foreign, File: v.at.file, Line: v.at.line, LastLine: v.at.line}
	switch last := v.fragment; {
	case last == nil && whole && len(text) == 0: // two processes at once: one made sure that it begins a line
		f.Kind = Torn
		v.report(*f)
	case json.Valid(text):
		v.settle(false)
		v.report(*f)
	case whole && last != nil && last.File == f.File && last.Kind == Foreign:
		last.LastLine = f.Line
	default:
		v.settle(false)
		if !whole {
			f.Kind = Torn
		}
		v.fragment = f
	}
}

// settle reports lines that were cut off or are from elsewhere. A begin right behind them may say
// that they were cut off.
func (v *Verifier) settle(torn bool) {
	if v.fragment == nil {
		return
	}
	f := *v.fragment
	v.fragment = nil
	if torn {
		f.Kind = Torn
	}
	v.report(f)
}

// report counts a finding. It is handed on when the next one does not continue it.
func (v *Verifier) report(f Finding) {
	f.LastLine = max(f.LastLine, f.Line)
	w := v.waiting
	if w != nil && f.Kind != Lost && f.Kind == w.Kind && f.Chain == w.Chain && f.File == w.File &&
		(f.Line == w.LastLine+1 && (f.From == 0 && w.To == 0 || f.From == w.To+1)) {
		w.To, w.LastLine = f.To, f.LastLine
		return
	}
	v.flush()
	v.waiting = &f
}

// flush hands on the finding that waits.
func (v *Verifier) flush() {
	if v.waiting == nil {
		return
	}
	f := *v.waiting
	v.waiting = nil
	if v.summary.Findings == nil {
		v.summary.Findings = make(map[Kind]int)
	}
	v.summary.Findings[f.Kind]++
	if v.config.Report != nil {
		v.config.Report(f)
	}
}
