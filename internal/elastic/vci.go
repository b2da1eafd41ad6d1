package elastic

// vci is Volcengine's (BytePlus's) Vital Container Instance in a VKE cluster.
// The taint is what the scheduler prints when a pod does not tolerate it
// ("untolerated taint {vci.vke.volcengine.com/node-type: vci}"); workloads
// select the same key as a label. The names, one node per zone such as
// vci-node1-cn-shanghai-a, are the pattern the add-on gives them.
//
// Of a sold-out pod the vendor documents that it fails (VCI-inventory-aware-scheduling),
// and has a question about ProviderFailed (6460/1393036): both are what SoldOut
// looks for anyway. Nothing is documented for quotas, subnets, or spot.
var vci = Provider{
	Name:   "vci",
	Labels: []Label{{Key: "vci.vke.volcengine.com/node-type"}},
	Taints: []string{"vci.vke.volcengine.com/node-type"},
	Names:  []string{"vci-node[0-9]*-*"},
}
