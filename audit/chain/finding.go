package chain

import (
	"fmt"
	"strconv"
	"time"
)

// Kind is what a finding is about. The numbers are not stable between releases; the labels are.
type Kind uint8

// Faults: somebody other than the writer has changed the lines, or some are missing here.
const (
	KindNone       Kind = iota
	Altered             // line is not the one that the next line was written after
	Missing             // lines are not here
	Misplaced           // lines stand behind later ones
	Repeated            // lines are here a second time
	Inserted            // line does not belong to the chain, although it claims to
	Foreign             // line in the file is no line of any chain
	BadSignature        // head is not signed, or was changed after that
	UnknownKey          // head is signed by a key that the verifier does not have
	OtherKey            // head is signed by another key than those before it in its chain
	Unsigned            // lines at the end of a chain stand behind its last signature
	Open                // chain has no end: the process still runs, was killed, or what follows was removed
	Earlier             // lines before the first one here are not here: in a file of before, or removed
	numFaults           // how many there are
	firstStatement = numFaults
)

// Statements: what the writer says about its own lines.
const (
	Lost     = firstStatement + iota // events before the line were lost: queue full, or writer failing
	Torn                             // line was cut off, as by a process that was killed or a full disk
	Killed                           // chain has no end, and another one goes on behind its last line
	numKinds                         // how many there are
)

var kinds = [numKinds]string{
	KindNone: "none", Altered: "altered", Missing: "missing", Misplaced: "misplaced", Repeated: "repeated",
	Inserted: "inserted", Foreign: "foreign", BadSignature: "signature", UnknownKey: "unknown key", OtherKey: "other key", Unsigned: "unsigned",
	Open: "open", Earlier: "earlier", Lost: "lost", Torn: "torn", Killed: "killed",
}

// String returns the label, or "kind N".
func (k Kind) String() string {
	if k < numKinds {
		return kinds[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Fault reports whether a finding of this kind says that lines may have been tampered with. What
// the writer states itself is none.
func (k Kind) Fault() bool { return k > KindNone && k < numFaults }

// Finding is one thing that a Verifier has found. Lines that follow each other are one finding.
type Finding struct {
	Kind     Kind
	Chain    string    // id; empty for Foreign, and for a line that was cut off before that
	From, To uint64    // numbers of lines in the chain; zero if it has none
	File     string    // as Read was given it; empty for what no file has
	Line     int       // number of the line in the file, from 1; zero likewise
	LastLine int       // of several: that of the last
	Events   uint64    // Lost: how many
	Time     time.Time // Open, Unsigned: of the last signed head, zero if there is none
}

// String returns a sentence for an operator, with the place before it.
func (f Finding) String() string {
	where := ""
	switch {
	case f.File != "" && f.LastLine > f.Line:
		where = fmt.Sprintf("%s:%d-%d: ", f.File, f.Line, f.LastLine)
	case f.File != "":
		where = fmt.Sprintf("%s:%d: ", f.File, f.Line)
	}
	chain := ""
	if f.Chain != "" {
		chain = "chain " + f.Chain[:min(8, len(f.Chain))] + ": "
	}
	return where + chain + f.sentence()
}

func (f Finding) sentence() string {
	lines, are, were := fmt.Sprintf("line %d", f.From), "is", "was"
	if f.To > f.From {
		lines, are, were = fmt.Sprintf("lines %d to %d", f.From, f.To), "are", "were"
	}
	switch f.Kind {
	case Altered:
		return fmt.Sprintf("%s %s altered: line %d was written after something else", lines, were, f.To+1)
	case Missing:
		return lines + " " + are + " missing"
	case Misplaced:
		return lines + " " + are + " misplaced: later lines stand before"
	case Repeated:
		return lines + " " + are + " here more than once"
	case Inserted:
		return lines + " " + were + " inserted: the chain has no such line"
	case Foreign:
		return "no line of a chain"
	case BadSignature:
		return "the head in " + lines + " has no signature, or was altered after it was signed"
	case UnknownKey:
		return "the head in " + lines + " is signed with a key that was not given"
	case OtherKey:
		return "the head in " + lines + " is signed with another key than the heads before it: a process has one"
	case Unsigned:
		return lines + " " + are + " unsigned: " + f.last()
	case Open:
		return fmt.Sprintf("no end behind line %d: the process runs, was killed, or what follows was removed; %s", f.To, f.last())
	case Earlier:
		return lines + " " + are + " not here: in a file of before, or removed"
	case Lost:
		return fmt.Sprintf("%d events before line %d were lost, the writer says", f.Events, f.From)
	case Torn:
		return "cut off here, as by a process that was killed or a full disk"
	case Killed:
		return fmt.Sprintf("no end behind line %d, where another chain goes on: the process was killed, or could not write", f.To)
	}
	return f.Kind.String()
}

// last says when the last signed head was.
func (f Finding) last() string {
	if f.Time.IsZero() {
		return "no head is signed"
	}
	return "the last signed head is of " + f.Time.Format(time.RFC3339)
}
