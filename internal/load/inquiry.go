package load

import (
	"context"
	"maps"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

const (
	// askTimeout bounds an inquiry, however many pods it asks.
	askTimeout = 2 * time.Second
	// askersLimit is how many pods of one inquiry are asked at a time.
	askersLimit = 32
	// answerAge is the age from which a pod's answer is not believed any more.
	answerAge = 15 * time.Second
)

// A Candidate is a pod to ask whether it is busy.
type Candidate struct {
	UID string
	// Address is the pod's IP, of either family. A pod without one is silent.
	Address string
}

// An inquirer asks one scaler's pods by one probe. Its fields from asking on are
// guarded by Readings.mu.
type inquirer struct {
	probe
	context context.Context // ends when nobody wants to know any more
	end     context.CancelFunc
	asking  map[string]bool  // by UID
	heard   map[string]heard // by UID
}

// A heard is what asking a pod came to.
type heard struct {
	busy    scaling.Busy
	silence string // why there was no usable answer; empty if there was
	at      time.Time
}

// Ask asks pods of a scaler whether they are busy, and returns at once. Each is
// asked once, in the order given, 32 at a time; whoever has not answered after
// 2 s is silent. Pods that are being asked already are left out.
//
// wake is called when all of them have answered or the 2 s are over: once, not
// under a lock, and not at all when nobody was left to ask. Only Close must not
// be called in it.
//
// Another probe than the last one drops the scaler's answers, and ends what is
// being asked without its wake. The error is that of CheckBusy, or says that the
// readings are closed; then nobody is asked.
func (r *Readings) Ask(scaler string, spec v1alpha1.Busy, pods []Candidate, wake func()) error {
	p, err := openProbe(spec)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.context.Err() != nil {
		return errClosed
	}
	in := r.inquirer(scaler, p)
	if left := in.take(pods); len(left) > 0 {
		r.running.Go(func() {
			r.inquire(in, left)
			if wake != nil && in.context.Err() == nil {
				wake()
			}
		})
	}
	return nil
}

// Answers says which of a scaler's pods are busy, by UID, as they answered
// within the last 15 s. A silent pod counts as busy; one that was not asked, or
// has not answered yet, is missing. The map is the caller's.
func (r *Readings) Answers(scaler string) map[string]scaling.Busy {
	out := map[string]scaling.Busy{}
	for uid, h := range r.recent(scaler) {
		out[uid] = h.busy
	}
	return out
}

// Silences says why pods of a scaler gave no usable answer within the last 15 s,
// by UID, in a sentence. The map is the caller's.
func (r *Readings) Silences(scaler string) map[string]string {
	out := map[string]string{}
	for uid, h := range r.recent(scaler) {
		if h.silence != "" {
			out[uid] = h.silence
		}
	}
	return out
}

// recent returns what was heard lately.
func (r *Readings) recent(scaler string) map[string]heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.inquirers[scaler]
	if in == nil {
		return nil
	}
	in.dropOld()
	return maps.Clone(in.heard)
}

// dropOld forgets what is not believed any more. r.mu is held.
func (in *inquirer) dropOld() {
	maps.DeleteFunc(in.heard, func(_ string, h heard) bool { return time.Since(h.at) >= answerAge })
}

// inquirer returns the scaler's inquirer for a probe, a new one if the probe is
// not the last. r.mu is held.
func (r *Readings) inquirer(scaler string, p probe) *inquirer {
	if in := r.inquirers[scaler]; in != nil && in.question == p.question {
		return in
	}
	r.dismiss(scaler)
	ctx, end := context.WithCancel(r.context)
	in := &inquirer{probe: p, context: ctx, end: end, asking: map[string]bool{}, heard: map[string]heard{}}
	r.inquirers[scaler] = in
	return in
}

// dismiss ends a scaler's inquiries and drops their answers. r.mu is held.
func (r *Readings) dismiss(scaler string) {
	if in := r.inquirers[scaler]; in != nil {
		in.end()
		delete(r.inquirers, scaler)
	}
}

// take returns the pods that nobody is asking, and notes that they are asked
// from now on. r.mu is held.
func (in *inquirer) take(pods []Candidate) []Candidate {
	in.dropOld()
	var left []Candidate
	for _, pod := range pods {
		if !in.asking[pod.UID] {
			in.asking[pod.UID] = true
			left = append(left, pod)
		}
	}
	return left
}

// inquire asks pods, and hears one answer of each.
func (r *Readings) inquire(in *inquirer, pods []Candidate) {
	ctx, cancel := context.WithTimeout(in.context, askTimeout)
	defer cancel()
	askEach(len(pods), askersLimit,
		func(i int) (answer, error) { return r.ask(ctx, in.question, pods[i].Address) },
		func(e echo) { r.hear(in, pods[e.index].UID, in.judge(ctx, e)) })
}

// errLate is the fault of a pod that others left no time for.
var errLate = failed("the %s that all the pods had together were over", askTimeout)

// ask asks one pod.
func (r *Readings) ask(ctx context.Context, q question, pod string) (answer, error) {
	a, err := q.at(pod)
	if err != nil {
		return answer{}, err
	}
	if ctx.Err() != nil {
		return answer{}, errLate
	}
	return r.reach(a).ask(ctx, askTimeout)
}

// judge says what an answer comes to. One that waited too long to be understood
// is late as well, so that an expensive expression delays no wake.
func (in *inquirer) judge(ctx context.Context, e echo) heard {
	err := e.err
	if err == nil && ctx.Err() != nil {
		err = errLate
	}
	busy := false
	if err == nil {
		busy, err = in.busy(e.answer)
	}
	switch {
	case err != nil:
		return heard{busy: scaling.Working, silence: err.Error(), at: time.Now()}
	case busy:
		return heard{busy: scaling.Working, at: time.Now()}
	default:
		return heard{busy: scaling.Idle, at: time.Now()}
	}
}

// hear notes what asking a pod came to.
func (r *Readings) hear(in *inquirer, uid string, h heard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(in.asking, uid)
	in.heard[uid] = h
}
