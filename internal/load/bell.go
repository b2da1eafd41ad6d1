package load

// A bell calls a scaler's wake: one call at a time, in a goroutine of its own
// that lives as long as there is something to tell. Its fields are guarded by
// Readings.mu.
type bell struct {
	wake    func()
	calling bool
	again   bool // rung since the last call began
	silent  bool // forgotten: no call may begin
}

// ring has wake called soon. r.mu is held.
func (r *Readings) ring(b *bell) {
	switch {
	case b.silent || b.wake == nil:
	case b.calling:
		b.again = true
	default:
		b.calling, b.again = true, true
		r.running.Go(func() { r.call(b) })
	}
}

// call calls wake until nothing was rung during a call.
func (r *Readings) call(b *bell) {
	for r.begins(b) {
		b.wake()
	}
}

// begins reports whether one more call is due, and counts it as begun.
func (r *Readings) begins(b *bell) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b.calling = b.again && !b.silent
	b.again = false
	return b.calling
}
