// Package auditchain is what the writer and the verifier of a chain of audit lines share: the
// attributes of a line, and how a head is signed. Package audit/chain draws them.
package auditchain
