package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/clustertest"
)

// A crowd is a number of LoadScalers that share endpoints, and who serves them.
type crowd struct {
	where     string // in words
	scalers   []*v1alpha1.LoadScaler
	services  []*service
	interval  time.Duration
	intervals int // how many are measured, first quiet ones, then as many with rises
	rises     int // how many endpoints rise meanwhile
	cusme     *process
	// requests are all of cusme's since the start.
	requests func() []clustertest.Request
}

// newCrowd makes so many LoadScalers on 500 endpoints, in namespaces of so many;
// a fifth of them, and half the intervals, unless the long version is asked for.
func newCrowd(b *testing.B, scalers, perNamespace int) *crowd {
	b.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		b.Skipf("what cusme uses is read from /proc, which Linux has: %v", err)
	}
	c := &crowd{interval: 15 * time.Second, intervals: 4}
	if os.Getenv("CUSME_BENCH") != "long" {
		scalers, c.intervals = scalers/5, 2
	}
	c.services, c.rises = newServices(b, min(500, scalers/2)), 25*c.intervals
	for i := range scalers {
		url := c.services[i%len(c.services)].url
		c.scalers = append(c.scalers, scalerOf(fmt.Sprintf("models-%d", i/perNamespace), fmt.Sprintf("model-%d", i), url, c.interval))
	}
	return c
}

// BenchmarkControlPlane serves 1000 LoadScalers, all in one namespace, on a
// real control plane.
func BenchmarkControlPlane(b *testing.B) {
	c := newCrowd(b, 1000, 1000)
	cluster := clustertest.Start(b, "--gpu-nodes=40", "--startup-median=2s", "--startup-p99=3s")
	cluster.InstallCRD(b)
	c.where = "on a control plane of localcluster"
	c.populate(b, cluster)
	c.requests = followed(b, cluster)
	c.measure(b, cluster.Kubeconfig, "--lease-namespace", "models-0")
}

// BenchmarkMemory serves 10,000 LoadScalers, in ten namespaces, whose API
// server is memory: the program is the same down to its watches.
func BenchmarkMemory(b *testing.B) {
	c := newCrowd(b, 10_000, 1000)
	m := newMemoryAPI(b)
	c.where = "on an API server in memory"
	node := &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: "node"}}
	m.add(nodesPath, node)
	for _, ls := range c.scalers {
		m.fill(ls)
	}
	c.requests = m.asked
	c.measure(b, m.kubeconfig(b), "--leader-elect=false")
}

// followed returns cusme's requests so far, and reads each line of the audit log
// once or twice only: it has tens of thousands.
func followed(b *testing.B, cluster *clustertest.Cluster) func() []clustertest.Request {
	var all []clustertest.Request
	var read clustertest.Mark
	seen := map[string]bool{}
	return func() []clustertest.Request {
		end := cluster.Mark(b)
		for _, r := range cluster.Requests(b, read, clustertest.Filter{UserAgent: "cusme/"}) {
			if !seen[r.ID] {
				seen[r.ID] = true
				all = append(all, r)
			}
		}
		read = end
		return all
	}
}

// populate creates the crowd's targets and LoadScalers, and waits for the pods.
func (c *crowd) populate(b *testing.B, cluster *clustertest.Cluster) {
	b.Helper()
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		b.Fatal(err)
	}
	api, err := client.New(cluster.Config(), client.Options{})
	if err != nil {
		b.Fatal(err)
	}
	made := map[string]bool{}
	var objects []client.Object
	for _, ls := range c.scalers {
		if !made[ls.Namespace] {
			made[ls.Namespace] = true
			if err := api.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ls.Namespace}}); err != nil {
				b.Fatal(err)
			}
		}
		objects = append(objects, deploymentOf(ls.Namespace, ls.Name), ls)
	}
	var creating sync.WaitGroup
	for part := range slices.Chunk(objects, len(objects)/8+1) {
		creating.Go(func() {
			for _, o := range part {
				if err := api.Create(b.Context(), o); err != nil {
					b.Error(err)
				}
			}
		})
	}
	creating.Wait()
	pods, err := kubernetes.NewForConfig(cluster.Config())
	if err != nil {
		b.Fatal(err)
	}
	c.until(b, 10*time.Minute, func() (string, bool) {
		running, err := pods.CoreV1().Pods("").List(b.Context(), metav1.ListOptions{FieldSelector: "status.phase=Running", ResourceVersion: "0"})
		if err != nil {
			return err.Error(), false
		}
		return fmt.Sprintf("%d of %d pods run", len(running.Items), len(c.scalers)), len(running.Items) >= len(c.scalers)
	})
}

// until waits, and says every ten seconds for what.
func (c *crowd) until(b *testing.B, patience time.Duration, ask func() (string, bool)) {
	b.Helper()
	began := time.Now()
	for last := began; ; {
		state, done := ask()
		if time.Since(last) > 10*time.Second || done {
			last = time.Now()
			fmt.Printf("# %4.0fs  %s\n", time.Since(began).Seconds(), state)
		}
		if done {
			return
		}
		if time.Since(began) > patience {
			b.Fatalf("not within %s: %s", patience, state)
		}
		time.Sleep(time.Second)
	}
}

// measure starts cusme, lets it settle, and prints what it does while nothing
// changes and while loads rise.
func (c *crowd) measure(b *testing.B, kubeconfig string, flags ...string) {
	metrics := freeAddress(b)
	flags = append(flags, "--kubeconfig", kubeconfig, "--metrics-address", metrics, "--health-address", "0", "--allow-cidr", "127.0.0.0/8")
	c.cusme = start(b, installed(b), append([]string{"controller"}, flags...)...)
	go scrape(b.Context(), "http://"+metrics+"/metrics", c.interval)
	settled := c.settle(b)
	quiet := c.spend(b, "quiet", func() {}, func(spell) bool { return true })
	moving := c.spend(b, "loads rise", c.riseSome, func(s spell) bool {
		moved, _ := c.lags(b, s)
		return len(moved) == c.expected()
	})
	lags, sinceAnswer := c.lags(b, moving)
	peak := c.memory(b, "VmHWM")

	fmt.Printf("\n%d LoadScalers on %d endpoints %s; %d endpoints hang, %d fail; interval %s\n", len(c.scalers), len(c.services), c.where, c.count("hangs"), c.count("fails"), c.interval)
	row := func(what, format string, args ...any) {
		fmt.Printf("  %-34s "+format+"\n", append([]any{what}, args...)...)
	}
	row("load risen to scale written", "p50 %s, p99 %s, most %s (%d of %d moves)", short(at(lags, 0.5)), short(at(lags, 0.99)), short(at(lags, 1)), len(lags), c.expected())
	row("load answered to scale written", "p50 %s, p99 %s, most %s", short(at(sinceAnswer, 0.5)), short(at(sinceAnswer, 0.99)), short(at(sinceAnswer, 1)))
	row("requests to a healthy endpoint", "%d to %d in an interval, over %d intervals", quiet.fewest, quiet.most, c.intervals)
	row("processor, of a core", "%.2f while quiet, %.2f while loads rise", quiet.cores, moving.cores)
	row("memory", "%d MiB resident, %d at most", moving.resident, peak)
	row("requests to the API server", "%d in %s of quiet; %.1f for a move", quiet.requests, short(quiet.took), float64(moving.requests)/float64(c.expected()))
	row("from the start to the last status", "%s\n", short(settled))
	b.ReportMetric(at(lags, 0.99).Seconds()-c.interval.Seconds(), "s-p99-beyond-interval")
	b.ReportMetric(quiet.cores, "cores-quiet")
	b.ReportMetric(moving.cores, "cores-rising")
	b.ReportMetric(float64(peak), "MiB-peak")
	b.ReportMetric(0, "ns/op")
}

// settle waits until every LoadScaler has its status, and for one interval more.
func (c *crowd) settle(b *testing.B) time.Duration {
	began := time.Now()
	last := began
	c.until(b, 10*time.Minute, func() (string, bool) {
		c.cusme.alive(b)
		told := map[string]bool{}
		for _, r := range c.requests() {
			if r.Resource == "loadscalers/status" && r.Code == 200 {
				told[r.Namespace+"/"+r.Name], last = true, r.Received
			}
		}
		return fmt.Sprintf("%d of %d LoadScalers have a status; cusme has %d MiB", len(told), len(c.scalers), c.memory(b, "VmRSS")), len(told) == len(c.scalers)
	})
	pause(c.interval)
	return last.Sub(began)
}

// A spell is what cusme did in some intervals.
type spell struct {
	began        time.Time
	took         time.Duration
	cores        float64
	resident     int // MiB
	requests     int // to the API server, those for the Lease apart
	fewest, most int // requests to a healthy endpoint in an interval
}

// spend measures whole intervals, at the beginning of which something is done,
// and waits for one more, and until what was begun has come to its end.
func (c *crowd) spend(b *testing.B, what string, do func(), ended func(spell) bool) spell {
	fmt.Printf("# %s: %d intervals of %s\n", what, c.intervals, c.interval)
	s := spell{began: time.Now(), fewest: 1 << 30}
	before, used := len(c.requestsButLease()), c.processor(b)
	do()
	pause(time.Until(s.began.Add(time.Duration(c.intervals) * c.interval)))
	s.took = time.Since(s.began)
	s.cores = (c.processor(b) - used).Seconds() / s.took.Seconds()
	s.resident = c.memory(b, "VmRSS")
	for range 4 {
		if pause(c.interval); ended(s) {
			break
		}
	}
	s.requests = len(c.requestsButLease()) - before
	for _, healthy := range healthy(c.services) {
		counts := healthy.perInterval(s.began, c.interval, c.intervals)
		s.fewest, s.most = min(s.fewest, slices.Min(counts)), max(s.most, slices.Max(counts))
	}
	return s
}

// pause is what the measurement takes its time for.
func pause(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(min(10*time.Second, time.Until(end))) {
		fmt.Printf("#   %.0f s left\n", time.Until(end).Seconds())
	}
}

// riseSome raises loads of healthy endpoints at random moments, all of them
// within the intervals that are measured.
func (c *crowd) riseSome() {
	for _, s := range c.rising() {
		wait := rand.N(time.Duration(c.intervals) * c.interval)
		time.AfterFunc(wait, s.rise)
	}
}

func (c *crowd) rising() []*service {
	all := healthy(c.services)
	return all[:min(c.rises, len(all))]
}

// expected is how many moves the rises are to cause.
func (c *crowd) expected() int {
	n := 0
	for i := range c.scalers {
		if slices.Contains(c.rising(), c.serviceOf(i)) {
			n++
		}
	}
	return n
}

func (c *crowd) serviceOf(scaler int) *service { return c.services[scaler%len(c.services)] }

// lags returns how long after its load rose, and after that was answered, the
// first write of each target's scale came in, both sorted.
func (c *crowd) lags(b *testing.B, s spell) (sinceRise, sinceAnswer []time.Duration) {
	b.Helper()
	written := map[string]time.Time{}
	for _, r := range c.requests() {
		if r.Resource == "deployments/scale" && r.Code == 200 && r.Received.After(s.began) && written[r.Name].IsZero() {
			written[r.Name] = r.Received
		}
	}
	for i, ls := range c.scalers {
		service := c.serviceOf(i)
		service.mu.Lock()
		if at := written[ls.Name]; !at.IsZero() && !service.rose.IsZero() {
			sinceRise = append(sinceRise, at.Sub(service.rose))
			sinceAnswer = append(sinceAnswer, at.Sub(service.told))
		}
		service.mu.Unlock()
	}
	slices.Sort(sinceRise)
	slices.Sort(sinceAnswer)
	return sinceRise, sinceAnswer
}

// requestsButLease are cusme's, those apart that hold its Lease.
func (c *crowd) requestsButLease() []clustertest.Request {
	return slices.DeleteFunc(slices.Clone(c.requests()), func(r clustertest.Request) bool { return r.Resource == "leases" || isWatch(r) })
}

func (c *crowd) count(sick string) int {
	n := 0
	for _, s := range c.services {
		if s.sick == sick {
			n++
		}
	}
	return n
}

// at returns a quantile of sorted durations, the nearest from above.
func at(sorted []time.Duration, quantile float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(float64(len(sorted))*quantile+0.9999)-1)]
}

func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
