package elastic

// vci is Volcengine's (BytePlus's) Vital Container Instance in a VKE cluster.
// The taint is what the scheduler prints when a pod does not tolerate it
// ("untolerated taint {vci.vke.volcengine.com/node-type: vci}"); workloads
// select the same key as a label. The names, one node per zone such as
// vci-node1-cn-shanghai-a, are the pattern the add-on gives them.
var vci = Provider{
	Name:   "vci",
	Labels: []Label{{Key: "vci.vke.volcengine.com/node-type"}},
	Taints: []string{"vci.vke.volcengine.com/node-type"},
	Names:  []string{"vci-node[0-9]*-*"},
}
