//go:build !sallyport_pion3

package transport

const sendsRenegotiationInfo = true
