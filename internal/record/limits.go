package record

const (
	// HeaderLen is the length in bytes of the header before every record, of any epoch.
	HeaderLen = 13

	// nonceLen and tagLen are the explicit nonce and the AES-GCM tag in bytes (RFC 5288 3).
	nonceLen = 8
	tagLen   = 16

	// Prefix is the number of bytes before the plaintext of a record that is opened or sealed in
	// place.
	Prefix = HeaderLen + nonceLen

	// Overhead is the number of bytes that a protected record adds to its plaintext.
	Overhead = Prefix + tagLen

	// MaxPlaintext is the largest plaintext of one record in bytes (RFC 5246 6.2.1).
	MaxPlaintext = 1 << 14

	// MaxRecords is how many records one write key protects, including those of the handshake: RFC
	// 8446 5.5 puts the confidentiality limit of AES-GCM at 2^24.5. It also keeps the record number
	// far below 2^32, where a nonce with a connection id would wrap, and 2^48, where the record
	// number itself would.
	MaxRecords = 1 << 24

	// MaxFailedOpens is how many forgeries one read key tolerates before Open refuses everything:
	// the integrity limit of AES-GCM, 2^36 (RFC 9147 4.5.3). Operators should look at FailedOpens
	// far earlier.
	MaxFailedOpens = 1 << 36
)
