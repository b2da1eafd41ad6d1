package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/transport"
)

// dropIn is the command line of cusme 1.0.
type dropIn struct {
	deployment, namespace string
	add, remove           int
	floor, most           int
	every                 minutes
	minPodAge             time.Duration

	// What 1.0 did not have.
	insecureSkipVerify            bool
	metricsAddress, healthAddress string
	logFormat                     string
	settle                        time.Duration
	elastic                       []string
}

// isDropIn reports whether this is the original's command line: any flag but
// the help's, or nothing at all where the original's variable is set.
func isDropIn(args []string, getenv func(string) string) bool {
	if len(args) == 0 {
		return getenv("ThirdUrl") != ""
	}
	switch args[0] {
	case "-h", "--help", "-help", "--version":
		return false
	}
	return strings.HasPrefix(args[0], "-")
}

func (d *dropIn) flags() *flag.FlagSet {
	f := flag.NewFlagSet("cusme", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&d.deployment, "d", "webui", "Deployment to scale")
	f.StringVar(&d.namespace, "n", "aicloud", "its namespace")
	f.IntVar(&d.add, "ad", 3, "replicas added by one scale-out")
	f.IntVar(&d.remove, "rd", 1, "replicas removed by one scale-in")
	f.IntVar(&d.most, "ma", 20, "maximum replicas")
	f.IntVar(&d.floor, "dr", 0, "minimum replicas; 0 lets the Deployment sleep")
	d.every = minutes(5 * time.Minute)
	f.Var(&d.every, "t", "time between two decisions: `minutes`, or a duration such as 30s")
	f.DurationVar(&d.minPodAge, "minPodAge", 10*time.Minute, "a younger pod is never chosen for removal")
	f.BoolVar(&d.insecureSkipVerify, "insecureSkipVerify", false, "accept any TLS certificate from ThirdUrl, as cusme 1.0 did")
	f.StringVar(&d.metricsAddress, "metrics-address", "0", "`address` that serves /metrics, such as :8080; 0 for none")
	f.StringVar(&d.healthAddress, "health-address", "0", "`address` that serves /healthz and /readyz, such as :8081; 0 for none")
	f.StringVar(&d.logFormat, "log-format", "text", "text or json")
	f.DurationVar(&d.settle, "settle-time", settleTime, "how long marks on the pods to remove may take to reach the ReplicaSet controller")
	f.Func("elastic", elasticUsage, func(rule string) error {
		d.elastic = append(d.elastic, rule)
		return nil
	})
	return f
}

func dropInUsage() string {
	var text strings.Builder
	text.WriteString(dropInHelp)
	f := new(dropIn).flags()
	f.SetOutput(&text)
	f.PrintDefaults()
	return text.String()
}

func runDropIn(ctx context.Context, args []string, getenv func(string) string, stderr io.Writer) error {
	d, err := parseDropIn(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stderr, dropInUsage())
		return nil
	}
	if err != nil {
		return misuseError{err, `"cusme help drop-in" explains the flags`}
	}
	url := getenv("ThirdUrl")
	if url == "" {
		return misuseError{errors.New("ThirdUrl is not set: expected the URL of the load index"), `set it in the environment; it answers {"data":{"load_balance":0.83}}`}
	}
	targets, err := steering(d.settle, d.elastic)
	if err != nil {
		return err
	}
	log, err := newLogger(stderr, d.logFormat)
	if err != nil {
		return err
	}
	config, err := restConfig(dropInKubeconfig(getenv), "set KUBECONFIG_PATH, or put the kubeconfig at ./config", getenv)
	if err != nil {
		return err
	}
	log.Info("scaling a Deployment by its load", "deployment", d.namespace+"/"+d.deployment, "add", d.add, "remove", d.remove,
		"maximum", d.most, "minimum", d.floor, "interval", time.Duration(d.every), "minPodAge", d.minPodAge, "version", version)
	return controller.Run(ctx, controller.Options{
		Config: config, Log: log, Version: version, Only: d.loadScaler(url),
		LeaseNamespace: d.namespace, LeaseName: "cusme-" + d.deployment,
		MetricsAddress: d.metricsAddress, HealthAddress: d.healthAddress, Target: targets,
		Door: transport.Options{Guard: transport.Guard{Operator: true}}, // who sets ThirdUrl runs cusme
	})
}

// dropInKubeconfig is the original's rule, except that a missing ./config
// stands for the account of the pod.
func dropInKubeconfig(getenv func(string) string) string {
	if path := getenv("KUBECONFIG_PATH"); path != "" {
		return path
	}
	if _, err := os.Stat("./config"); err == nil {
		return "./config"
	}
	return ""
}

func parseDropIn(args []string) (*dropIn, error) {
	d := &dropIn{}
	f := d.flags()
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("expected flags only, got %q", f.Args())
	}
	return d, d.check()
}

// check refuses what the original would have acted on: a negative step scaled
// the other way, and a floor above the maximum past it.
func (d *dropIn) check() error {
	var errs []error
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	const most = 1 << 30
	expect(d.deployment != "", "-d: expected the name of a Deployment, got nothing")
	expect(d.namespace != "", "-n: expected a namespace, got nothing")
	expect(d.add >= 0 && d.add < most, "-ad: expected 0 or more, and less than %d, got %d", most, d.add)
	expect(d.remove >= 0 && d.remove < most, "-rd: expected 0 or more, and less than %d, got %d", most, d.remove)
	expect(d.most >= 1 && d.most < most, "-ma: expected 1 or more, and less than %d, got %d", most, d.most)
	expect(d.floor >= 0, "-dr: expected 0 or more, got %d", d.floor)
	expect(d.floor <= d.most, "-dr: expected at most -ma, which is %d, got %d", d.most, d.floor)
	expect(time.Duration(d.every) >= time.Second, "-t: expected at least 1s, got %s", time.Duration(d.every))
	expect(d.minPodAge >= 0, "-minPodAge: expected 0s or more, got %s", d.minPodAge)
	return errors.Join(errs...)
}

// loadScaler is what the command line means, in the words of the API. The
// original knew no windows, and no pace but one step an interval.
func (d *dropIn) loadScaler(url string) *v1alpha1.LoadScaler {
	source := &v1alpha1.HTTPSource{URL: url, Value: "body.data.load_balance"}
	if d.insecureSkipVerify {
		source.TLS = &v1alpha1.TLS{InsecureSkipVerify: true}
	}
	return &v1alpha1.LoadScaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: d.deployment},
		Spec: v1alpha1.LoadScalerSpec{
			ScaleTargetRef: v1alpha1.TargetRef{APIVersion: "apps/v1", Kind: "Deployment", Name: d.deployment},
			MinReplicas:    ptr.To(int32(d.floor)),
			MaxReplicas:    int32(d.most),
			Interval:       &metav1.Duration{Duration: time.Duration(d.every)},
			Loads:          []v1alpha1.Load{{Name: "load", HTTP: source}},
			Step:           &v1alpha1.Step{Up: int32(d.add), Down: int32(d.remove)},
			Behavior: &v1alpha1.Behavior{
				ScaleUp:   &v1alpha1.ScalingRules{Policies: d.oneStep(d.add)},
				ScaleDown: &v1alpha1.ScalingRules{Policies: d.oneStep(d.remove), StabilizationWindowSeconds: ptr.To(int32(0))},
			},
			MinPodAge: &metav1.Duration{Duration: d.minPodAge},
		},
	}
}

// oneStep allows one step in an interval: the second poll comes after a random
// part of the first interval. Nine tenths of it, as polls are exact, and whole seconds are not.
func (d *dropIn) oneStep(size int) []autoscalingv2.HPAScalingPolicy {
	return []autoscalingv2.HPAScalingPolicy{{
		Type: autoscalingv2.PodsScalingPolicy, Value: int32(size),
		PeriodSeconds: int32(time.Duration(d.every).Seconds() * 0.9),
	}}
}

// minutes is a duration that a bare number gives in minutes, as the original's -t.
type minutes time.Duration

var _ flag.Value = (*minutes)(nil)

// Set reads whole minutes, or a duration with its unit.
func (m *minutes) Set(s string) error {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		*m = minutes(time.Duration(n) * time.Minute)
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return errors.New("expected whole minutes, or a duration such as 30s")
	}
	*m = minutes(d)
	return nil
}

// String writes minutes as the original took them.
func (m *minutes) String() string {
	return strconv.Itoa(int(time.Duration(*m) / time.Minute))
}
