package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/load"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/transport"
)

const probeLong = `Read the loads of LoadScalers in a file once, by the code that the controller
reads them by, and show each request, its answer, the value in it and what
cusme makes of it; then what the scaler would decide. Nothing is written
anywhere. The LoadScaler need not exist in any cluster.

Credentials are read from the cluster's Secrets with your own rights, and shown
as ***. Without a cluster, loads that need none can be read. Loads are read from
where you are: addresses of a cluster may not be reached from a workstation.

The decision is that of a controller that has just started: it knows no earlier
demands, so that stabilization holds every scale-in for one window. Pods are
counted as ready or not; nodes and the busy question are left out.

A file is checked as far as reading it takes. The API server checks more:
kubectl apply --dry-run=server -f scaler.yaml says what.

Exit codes: 0 when every load that can be asked gave a fresh reading, 1 when one
did not, 2 when the file or the command line cannot be meant.`

const probeExample = `  # what do its loads say, and what would follow for its target?
  cusme probe -f scaler.yaml

  # without a cluster: as if 4 replicas were ready
  cusme probe -f scaler.yaml --replicas 4

  # what a LoadScaler of the cluster reads, for a script
  kubectl get loadscaler webui -n shop -o yaml | cusme probe -f - -o json`

// slow is how long a probe waits before it says that it waits.
const slow = 2 * time.Second

// mostReplicas bounds --replicas, each of which is a pod in memory.
const mostReplicas = 100_000

// prober is the command line of cusme probe.
type prober struct {
	file, kubeconfig, namespace, output string
	replicas                            int32
	replicasGiven                       bool
	surroundings
}

func newProbe(getenv func(string) string) *cobra.Command {
	p := prober{surroundings: surroundings{getenv: getenv}}
	cmd := &cobra.Command{
		Use:     "probe -f file",
		Short:   "Read the loads of a LoadScaler once, and show how",
		Long:    probeLong,
		Example: probeExample,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.replicasGiven = cmd.Flags().Changed("replicas")
			p.connect(cmd)
			return p.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&p.file, "file", "f", "", "`file` with LoadScalers, among other objects if you like; - is the standard input")
	f.StringVar(&p.kubeconfig, "kubeconfig", "", "kubeconfig `file`; default $KUBECONFIG, else the account of the pod that cusme runs in, else no cluster")
	f.StringVarP(&p.namespace, "namespace", "n", "default", "namespace of LoadScalers that name none")
	f.Int32Var(&p.replicas, "replicas", 0, "decide as if so many replicas were ready; default what the target has")
	f.StringVarP(&p.output, "output", "o", "text", "text or json")
	return cmd
}

func (p *prober) run(ctx context.Context) error {
	if err := p.check(); err != nil {
		return misuseError{err, `"cusme probe --help" explains the flags`}
	}
	scalers, err := scalerFile{path: p.file, stdin: p.stdin, namespace: p.namespace}.scalers()
	if err != nil {
		return misuseError{err, ""}
	}
	c, err := newProbedCluster(p.kubeconfig, p.getenv)
	if err != nil {
		return err
	}
	var reports []report
	for _, s := range scalers {
		r, err := p.probe(ctx, s, c)
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	if err := p.print(reports); err != nil {
		return err
	}
	return verdictOf(reports)
}

func (p *prober) check() error {
	switch {
	case p.file == "":
		return errors.New("-f: expected a file with a LoadScaler, got none")
	case p.output != "text" && p.output != "json":
		return fmt.Errorf("-o: expected text or json, got %q", p.output)
	case p.replicas < 0 || p.replicas > mostReplicas:
		return fmt.Errorf("--replicas: expected 0 to %d, got %d", mostReplicas, p.replicas)
	}
	return nil
}

// probe reads one LoadScaler's loads, and decides.
func (p *prober) probe(ctx context.Context, s *v1alpha1.LoadScaler, c *probedCluster) (report, error) {
	name := s.Namespace + "/" + s.Name
	secrets := transport.Options{UserAgent: "cusme/" + version, Guard: transport.Guard{Operator: true}, Secrets: c}
	o := load.Options{Version: version, Door: transport.NewDoor(secrets), Metrics: c.config}
	policy, policyErr := controller.PolicyOf(s.Spec)
	sources, err := load.OpenAll(name, s.Spec.Loads, o)
	if err := errors.Join(policyErr, err); err != nil {
		return report{}, misuseError{fmt.Errorf("LoadScaler %s: %w", name, err), ""}
	}
	waiting := time.AfterFunc(slow, func() {
		fmt.Fprintf(p.stderr, "cusme: waiting for the loads of %s; each is given up after its own timeout\n", name)
	})
	defer waiting.Stop()
	seen, seenErr := p.see(ctx, s, c)
	traces := load.Probe(ctx, sources, seen.addresses, o)
	if ctx.Err() != nil {
		return report{}, errors.New("interrupted before all loads were read")
	}
	now := time.Now()
	observed := seen.observation
	observed.Now = now
	for _, t := range traces {
		observed.Readings = append(observed.Readings, t.Reading)
	}
	d := scaling.Decide(observed, policy, scaling.History{})
	r := report{LoadScaler: name, Now: now}
	for i, l := range s.Spec.Loads {
		r.Loads = append(r.Loads, reportOf(s, l, traces[i], d.Loads[i]))
	}
	if seenErr != nil {
		r.NoDecision = seenErr.Error()
		return r, nil
	}
	r.Decision = decisionOf(d, observed)
	return r, nil
}

// see looks at the target, or takes what the command line says of it. Pods that
// are asked are the target's in any case.
func (p *prober) see(ctx context.Context, s *v1alpha1.LoadScaler, c *probedCluster) (view, error) {
	if !p.replicasGiven && !c.reachable() {
		return view{observation: asIf(1)}, errors.New("there is no cluster: --replicas N decides as if N replicas were ready")
	}
	seen, err := view{}, error(nil)
	if c.reachable() {
		seen, err = c.see(ctx, s)
	}
	if p.replicasGiven {
		seen.observation, err = asIf(p.replicas), nil
	}
	return seen, err
}

// verdictOf is the error that becomes exit code 1.
func verdictOf(reports []report) error {
	asked, wrong := 0, 0
	for _, r := range reports {
		for _, l := range r.Loads {
			if l.awaited {
				continue
			}
			asked++
			if l.State != scaling.Fresh {
				wrong++
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d loads gave no fresh reading", wrong, asked)
	}
	return nil
}

// colourful reports whether w is a terminal whose user wants colours (no-color.org).
func colourful(w io.Writer, getenv func(string) string) bool {
	f, ok := w.(*os.File)
	return ok && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
