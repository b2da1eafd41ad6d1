package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// component is one process of the cluster.
type component struct {
	name string
	main func()
	args func(c *cluster) []string
	// before, where there is one, runs before each start.
	before func(ctx context.Context, c *cluster) error
	// patience is how long the process gets to end by itself before it is killed. The cluster is thrown away, so only
	// the API server gets some: it has answers in flight.
	patience time.Duration
}

// components are in the order they start; they stop in the reverse one, so that the API server goes before etcd
// (without etcd it holds on for a long while).
var components = []component{
	{name: "etcd", main: etcdMain, args: etcdArgs, patience: 2 * time.Second},
	{name: "kube-apiserver", main: apiserverMain, args: apiserverArgs, patience: 5 * time.Second},
	{name: "kube-controller-manager", main: controllerManagerMain, args: controllerManagerArgs, patience: 2 * time.Second},
	{name: "kube-scheduler", main: schedulerMain, args: schedulerArgs, patience: 2 * time.Second},
	{name: "kwok", main: kwokMain, args: kwokArgs, before: freeNodeLeases, patience: 2 * time.Second},
}

func componentNamed(name string) (component, bool) {
	for _, c := range components {
		if c.name == name {
			return c, true
		}
	}
	return component{}, false
}

// controllers are the ones cusme and its tests lean on; each further one costs start-up time and memory. Without
// node-lifecycle the nodes keep their not-ready taint and nothing is scheduled; without clusterrole-aggregation the roles
// admin, edit and view are empty.
var controllers = []string{
	"clusterrole-aggregation-controller",
	"cronjob-controller",
	"deployment-controller",
	"disruption-controller",
	"endpointslice-controller",
	"garbage-collector-controller",
	"horizontal-pod-autoscaler-controller",
	"job-controller",
	"namespace-controller",
	"node-lifecycle-controller",
	"pod-garbage-collector-controller",
	"replicaset-controller",
	"root-ca-certificate-publisher-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
	"statefulset-controller",
}

func etcdArgs(c *cluster) []string {
	client, peer := c.url("http", portEtcd), c.url("http", portEtcdPeer)
	return []string{
		"--data-dir=" + c.dir.etcdData(),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		// A killed process loses nothing by it (the kernel has the pages), only a power cut would.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}

func apiserverArgs(c *cluster) []string {
	args := []string{
		"--etcd-servers=" + c.url("http", portEtcd),
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.ports[portAPIServer]),
		"--tls-cert-file=" + c.dir.pki("serving.crt"),
		"--tls-private-key-file=" + c.dir.pki("serving.key"),
		"--client-ca-file=" + c.dir.pki("ca.crt"),
		"--authorization-mode=RBAC",
		// kwok's pods run nothing that could use a token; the plugin would only add a volume to each and make every pod
		// wait for its ServiceAccount. Tokens asked for (kubectl create token) work all the same.
		"--disable-admission-plugins=ServiceAccount",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.dir.pki("tokens.pub"),
		"--service-account-signing-key-file=" + c.dir.pki("tokens.key"),
		"--service-cluster-ip-range=10.96.0.0/16",
		// The address is a loopback one, which an Endpoints object may not hold.
		"--endpoint-reconciler-type=none",
		"--requestheader-client-ca-file=" + c.dir.pki("front-proxy-ca.crt"),
		"--requestheader-allowed-names=" + frontProxyName,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.dir.pki("front-proxy.crt"),
		"--proxy-client-key-file=" + c.dir.pki("front-proxy.key"),
		// Off, an aggregated API is reached through its Service's name, so ExternalName localhost leads to a test's own server.
		"--enable-aggregator-routing=false",
		"--profiling=false",
	}
	if c.options.audit {
		args = append(args, "--audit-policy-file="+c.dir.auditPolicy(), "--audit-log-path="+c.dir.auditLog())
	}
	return args
}

func controllerManagerArgs(c *cluster) []string {
	return append(managerArgs(c, "system:kube-controller-manager", portControllerManager),
		"--controllers="+strings.Join(controllers, ","),
		"--root-ca-file="+c.dir.pki("ca.crt"),
		"--service-account-private-key-file="+c.dir.pki("tokens.key"),
		"--horizontal-pod-autoscaler-sync-period="+c.options.hpaSyncPeriod.String(),
	)
}

func schedulerArgs(c *cluster) []string {
	return managerArgs(c, "system:kube-scheduler", portScheduler)
}

// managerArgs are the ones kube-controller-manager and kube-scheduler share. There is one of each, so nobody to elect.
func managerArgs(c *cluster, user, port string) []string {
	kubeconfig := c.dir.pki(user + ".kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.ports[port]),
		"--tls-cert-file=" + c.dir.pki("serving.crt"),
		"--tls-private-key-file=" + c.dir.pki("serving.key"),
		"--profiling=false",
	}
}

func kwokArgs(c *cluster) []string {
	return []string{
		"--kubeconfig=" + c.dir.pki("kwok.kubeconfig"),
		"--config=" + c.dir.stages(),
		"--manage-all-nodes=true",
		// Without leases a node is NotReady after about 50 s and its pods lose Ready for good.
		"--node-lease-duration-seconds=40",
		"--node-ip=10.0.0.1",
		"--cidr=10.244.0.1/16",
	}
}
