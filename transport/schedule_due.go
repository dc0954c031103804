package transport

// byDue is a heap: the player whose lanes are due first is at the front.
type byDue []*messages

// Len implements heap.Interface.
func (h byDue) Len() int { return len(h) }

// Less implements heap.Interface.
func (h byDue) Less(i, j int) bool { return h[i].due < h[j].due }

// Swap implements heap.Interface.
func (h byDue) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

// Push implements heap.Interface.
func (h *byDue) Push(x any) {
	m := x.(*messages)
	*h = append(*h, m)
	m.place = len(*h)
}

// Pop implements heap.Interface.
func (h *byDue) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	m.place = 0
	return m
}
