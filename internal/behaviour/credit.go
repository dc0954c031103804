package behaviour

// A path may delay datagrams and deliver them in a clump, and no clump of a sender that keeps to
// the stated rate may end its session. So the threshold of revocation, and no other, is raised by a
// credit, the estimate of what may still be in flight. It grows
//
//   - in a silence of a Window or more, by what the stated rate allows (see policy.BehaviourConfig);
//   - otherwise, by what arrives less than usual. The usual rate is the player's own: the most that
//     has arrived in a Window and was not owed from before, up to the stated rate. It falls slowly
//     while less arrives.
//
// State changes beyond the usual are taken from the credit when their slot is dropped. The credit
// never exceeds maxSilence of the stated rate. The part above maxSilence of the usual rate soon
// decays, and until then only what exceeds the stated rate is taken from it.
//
// A bot gains nothing by it. Datagrams beyond Limit are dropped, whatever the credit. And since the
// stated rate is below Revoke, a silence earns less than could have been sent in it: on average, no
// sender achieves more than one that always stays just below the threshold.

// finish accounts for the newest slot, which is over.
func (b *Behaviour) finish() {
	last := int64(b.sum) * unit
	if own := last - b.credit; own > b.usual {
		b.usual = min(own, b.limits.stated)
	} else if last < b.usual {
		b.usual -= (b.usual - last) >> usualFall
	}
	if missing := b.share() - int64(b.counts[b.newest])*unit; missing > 0 {
		b.credit = min(b.credit+missing, b.limits.stated/slots*b.limits.silence)
	}
	if b.credit > 0 {
		b.credit -= b.unexplained() >> creditFall
	}
}

// spend accounts for the oldest slot, which leaves the Window.
func (b *Behaviour) spend(n uint32) {
	if b.credit == 0 {
		return // as in steady play
	}
	share := b.share()
	if b.unexplained() > 0 {
		share = b.limits.stated / slots
	}
	if beyond := int64(n)*unit - share; beyond > 0 {
		b.credit = max(b.credit-beyond, 0)
	}
}

// idle accounts for n slots in which nothing arrived; a Window of them has been accounted for
// already.
func (b *Behaviour) idle(n int64) {
	stated := b.limits.stated / slots
	b.credit = min(b.credit+min(n, b.limits.silence)*stated-b.usual, stated*b.limits.silence)
}

// unexplained returns the credit that the usual rate does not explain: the player's own may be
// higher.
func (b *Behaviour) unexplained() int64 { return max(b.credit-b.usual/slots*b.limits.silence, 0) }

// share returns a slot's part of the usual rate. Two state changes a Window less count as usual
// too, so that steady play earns nothing; more than three quarters of the stated rate count as all
// of it.
func (b *Behaviour) share() int64 {
	if stated := b.limits.stated; b.usual >= stated-stated/4 {
		return stated / slots
	}
	return max(b.usual-2*unit, 0) / slots
}
