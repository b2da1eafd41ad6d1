package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"cusme.dev/cusme/api/v1alpha1"
)

// A demo is one run.
type demo struct {
	options
	out      io.Writer
	terminal *terminal // nil when the output is none
	dir      string    // everything the run writes is in it

	scaler              v1alpha1.LoadScaler
	cluster, controller *child
	client              kubernetes.Interface
	dynamic             dynamic.Interface
	backend             *backend
	world               *world
	began               atomic.Pointer[time.Time] // the day; nil before

	history []sample
	ledger  ledger // of the plain output
}

// clock is how much of the day has passed, in real time.
func (d *demo) clock() time.Duration {
	began := d.began.Load()
	if began == nil {
		return 0
	}
	return time.Since(*began)
}

// show runs the demo from beginning to end. Nothing it started is left when it
// returns; its folder is, when something went wrong or the options say so.
func show(ctx context.Context, o options, out *os.File) error {
	d := &demo{options: o, out: out}
	if !o.lines {
		d.terminal = onTerminal(out)
	}
	if err := d.findPrograms(); err != nil {
		return err
	}
	var err error
	if d.scaler, err = loadScaler(); err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "cusme-demo-"); err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	err = d.run(ctx)
	d.stop()
	if errors.Is(err, context.Canceled) {
		err = nil // Ctrl-C while starting: that is what was asked for
	}
	if err == nil && !o.keep {
		return os.RemoveAll(d.dir)
	}
	fmt.Fprintf(d.out, "\nthe demo's folder, with all logs, is %s\n", d.dir)
	return err
}

// run starts the parts in order, then lets the day pass.
func (d *demo) run(ctx context.Context) error {
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	d.backend = newBackend(d.clock, newArrivals(day{d.day}, d.seed))
	server, url, err := d.backend.serve()
	if err != nil {
		return err
	}
	defer server.Close()
	d.introduce()
	say := steps{out: d.out, terminal: d.terminal}
	for _, s := range []struct {
		name string
		do   func() error
	}{
		{"a control plane: etcd, API server, scheduler, controllers", func() error { return d.startCluster(ctx) }},
		{"cusme's CRD, its RBAC, and a token that may do no more", func() error { return d.install(ctx) }},
		{"the service: Deployment aicloud/webui and its LoadScaler", func() error { return d.deploy(ctx, url) }},
		{"cusme controller", func() error { return errors.Join(d.startController(), d.watch(watching)) }},
		{"the first two pods, which start as slowly as all others", func() error { return d.firstPods(ctx) }},
	} {
		if err := say.do(s.name, s.do); err != nil {
			return err
		}
	}
	fmt.Fprintln(d.out)
	now := time.Now()
	d.began.Store(&now)
	if err := d.dayPasses(ctx); err != nil {
		return err
	}
	d.sumUp()
	return nil
}

func (d *demo) introduce() {
	heading := line{{text: "cusme demo", ink: bold}, {text: ": a service that makes images, a day of requests, and cusme moving its replicas"}}
	columns, colour := 1<<10, false
	if d.terminal != nil {
		columns, colour = d.terminal.size().columns, d.terminal.colour
	}
	fmt.Fprintln(d.out, heading.paint(columns, colour))
	fmt.Fprintf(d.out, `
The Kubernetes control plane and cusme are real; nodes and pods are simulated.
The day takes %s. Requests (about %s each), pod starts (about %s) and cusme run
in real time, so the rises are %.0f times as steep as on a real day.
This is all that cusme is told:

`, brief(d.day), brief(meanService), brief(d.startup), float64(24*time.Hour)/float64(d.day))
	for _, l := range quote(loadScalerYAML()) {
		fmt.Fprintln(d.out, line{{text: l, ink: faint}}.paint(columns, colour))
	}
	fmt.Fprintln(d.out)
}

// firstPods waits until the service serves.
func (d *demo) firstPods(ctx context.Context) error {
	const deadline = 5 * time.Minute
	err := d.wait(ctx, deadline, func() bool { return d.world.ready() >= int(*d.scaler.Spec.MinReplicas) })
	if errors.Is(err, errDeadline) {
		return fmt.Errorf("the service's first pods do not become ready: %w", err)
	}
	return err
}

// frameEvery is how often the screen is drawn: four times a second looks alive.
const frameEvery = 250 * time.Millisecond

// dayPasses shows the day until it is over or interrupted.
func (d *demo) dayPasses(ctx context.Context) error {
	frames := time.NewTicker(frameEvery)
	defer frames.Stop()
	if d.terminal != nil {
		defer d.terminal.leave()
	}
	for {
		s := d.look()
		d.draw(s)
		select {
		case c := <-d.anyEnded():
			return c.ended()
		default:
		}
		if s.elapsed >= d.length {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-frames.C:
		}
	}
}

// look takes a snapshot, and a sample of it for the charts.
func (d *demo) look() snapshot {
	load := d.scaler.Spec.Loads[0]
	s := snapshot{
		day: day{d.day}, elapsed: d.clock(), length: d.length, business: d.backend.business(),
		low: load.Low.AsApproximateFloat64(), high: load.High.AsApproximateFloat64(),
	}
	w := d.world
	w.mu.Lock()
	s.asked, s.pods, s.now, s.moves = w.log.asked, w.fleet.counts(), w.log.now(), slices.Clone(w.log.moves)
	if time.Since(w.warned) < warningShown {
		s.warning = w.warning
	}
	w.mu.Unlock()
	d.remember(s)
	s.history = d.history
	return s
}

// remember keeps one day's samples for the charts, more than any terminal has columns.
func (d *demo) remember(s snapshot) {
	if n := len(d.history); n > 0 && s.elapsed-d.history[n-1].at < d.day/1000 {
		return
	}
	d.history = append(d.history, sample{
		at: s.elapsed, load: s.business.load,
		asked: s.asked, ready: s.pods.ready(), elastic: s.pods.elastic + s.pods.startingElastic,
	})
	for d.history[0].at < s.elapsed-d.day {
		d.history = d.history[1:]
	}
}

func (d *demo) draw(s snapshot) {
	if d.terminal != nil {
		d.terminal.show(func(to size) []string { return render(s, to, d.terminal.colour) })
		return
	}
	for _, l := range d.ledger.next(s) {
		fmt.Fprintln(d.out, l)
	}
}

func (d *demo) sumUp() {
	s := summary{elapsed: d.clock(), business: d.backend.business(), minPodAge: d.scaler.Spec.MinPodAge.Duration}
	w := d.world
	w.mu.Lock()
	s.ordinary, s.elastic = w.fleet.podTime(time.Now())
	s.youngest, s.removed = w.fleet.youngest()
	s.up, s.down, s.peak = w.log.directions()
	w.mu.Unlock()
	fmt.Fprintln(d.out)
	for _, l := range s.lines() {
		fmt.Fprintln(d.out, l)
	}
}

// stop ends what was started, the controller first: it gives its lease back.
func (d *demo) stop() {
	if d.controller != nil {
		d.controller.stop(5 * time.Second)
	}
	if d.cluster != nil {
		d.cluster.stop(15 * time.Second)
	}
}
