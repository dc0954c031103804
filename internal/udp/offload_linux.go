package udp

// offload says whether the kernel may put several datagrams together.
var offload = true

// NoOffload has sockets that are opened from now on move each datagram for itself, without UDP_GRO
// and UDP_SEGMENT, as a device or a kernel without them makes it. It is for measurements.
func NoOffload() { offload = false }
