package lanes

import "github.com/sallyport/sallyport/internal/wire"

// An assembly puts a message together from its fragments.
type assembly struct {
	id     uint64
	number uint64 // among those of modes Unreliable and Sequenced, in the order in which they were begun
	b      []byte
	left   int // fragments that have not come, less the parity frames that have
	have   bits

	parity [][]byte // of a message that has them; those that have not come are empty
	cost   int      // bytes
}

// assemblyCost returns how many bytes an assembly takes.
func assemblyCost(total uint32, parity int) int {
	if parity == 0 {
		return int(total)
	}
	// The last fragment counts as if zeros followed.
	return (wire.Fragments(int(total)) + parity) * wire.FragmentSize(int(total))
}

func newAssembly(id uint64, total uint32, parity int) *assembly {
	n, cost := wire.Fragments(int(total)), assemblyCost(total, parity)
	a := &assembly{id: id, b: make([]byte, total, cost-parity*wire.FragmentSize(int(total))), left: n, cost: cost}
	a.have.grow(n + parity)
	if parity > 0 {
		a.parity = make([][]byte, parity)
	}
	return a
}

// position returns the place of a part among all: parity frames come after the fragments.
func position(f *wire.Frame) int {
	if f.Type == wire.FrameParity {
		return wire.Fragments(int(f.Total)) + int(f.Index)
	}
	return int(f.Index)
}

// lacks returns how many parts the message lacks, and 0 if f is none of them. No assembly lacks all.
func (a *assembly) lacks(f *wire.Frame) int {
	switch {
	case a == nil:
		return wire.Fragments(int(f.Total))
	case len(a.b) != int(f.Total) || a.have.has(position(f)):
		return 0
	}
	return a.left
}

// add takes a fragment or a parity frame and reports whether the message is complete with it, for
// the first time.
func (a *assembly) add(f *wire.Frame) bool {
	i := position(f)
	if a.have.has(i) {
		return false
	}
	a.have.set(i)
	if f.Type == wire.FrameParity {
		a.parity[f.Index] = append([]byte(nil), f.Data...)
	} else {
		copy(a.b[i*wire.FragmentSize(len(a.b)):], f.Data)
	}
	if a.left--; a.left > 0 {
		return false
	}
	for _, p := range a.parity {
		if p != nil {
			a.restore()
			break
		}
	}
	return true
}

// payload returns the bytes as a payload.
func (a *assembly) payload() *Payload {
	p := &Payload{b: a.b}
	p.refs.Store(1)
	return p
}
