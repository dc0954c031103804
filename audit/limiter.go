package audit

// limiter bounds the lines of one second of the clock.
type limiter struct {
	perSecond int // negative means no limit

	second            int64 // Unix time that the next two are about
	lines, rejections int   // rejections are among lines
}

// admit takes one line of this second.
func (l *limiter) admit(d Decision, second int64) bool {
	if l.perSecond < 0 {
		return true
	}
	if second != l.second {
		l.second, l.lines, l.rejections = second, 0, 0
	}
	if l.lines >= l.perSecond || d == Reject && l.rejections >= (l.perSecond+1)/2 {
		return false
	}
	l.lines++
	if d == Reject {
		l.rejections++
	}
	return true
}
