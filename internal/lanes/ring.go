package lanes

// A ring is a queue whose elements keep their numbers: the first one ever pushed has number 0. It
// grows as it needs to and gives up its memory when it is empty and trim is called.
type ring[T any] struct {
	b     []T // its length is zero or a power of two
	first uint64
	next  uint64
}

func (r *ring[T]) len() int { return int(r.next - r.first) }

// at returns the element at position i, counted from the oldest.
func (r *ring[T]) at(i int) *T { return r.number(r.first + uint64(i)) }

func (r *ring[T]) number(n uint64) *T { return &r.b[n&uint64(len(r.b)-1)] }

func (r *ring[T]) push(v T) {
	if r.len() == len(r.b) {
		b := make([]T, max(8, 2*len(r.b)))
		for n := r.first; n < r.next; n++ {
			b[n&uint64(len(b)-1)] = *r.number(n)
		}
		r.b = b
	}
	*r.number(r.next) = v
	r.next++
}

func (r *ring[T]) pop() {
	var zero T
	*r.number(r.first) = zero
	r.first++
}

func (r *ring[T]) trim() {
	if r.len() == 0 {
		r.b = nil
	}
}
