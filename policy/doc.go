// Package policy says who may send how much. It measures in integers, allocates nothing once made, and takes the time
// as an argument; nothing in it is safe for concurrent use.
//
// A token bucket is kept as one instant: when it would be full again if nobody asked.
//
//	full ≤ now                 the bucket is full
//	now < full < now+window    it holds (now+window−full)/interval tokens, and a fraction
//	full = now+window          it is empty
//	full > now+window          the clock has stepped back: it counts as empty
//
//	interval = 1 s / rate         what a token taken moves full by
//	window   = burst · interval   how long an empty bucket takes to fill
//
// A full bucket and a forgotten one are the same, so Sources forgets whoever has been quiet for one window and loses
// nothing by it.
package policy
