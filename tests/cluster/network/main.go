// Enforces NetworkPolicies on this machine: kube-network-policies' own judgement of each new connection. Its own agent
// puts packets into the kernel's queue by nftables, for which this kernel need not have been built; here iptables does
// that.
//
// Usage: network-policies --kubeconfig FILE --node NAME
//
// It prints "ready" when it judges, and removes its rules when it ends; while it does not run, every packet passes.
// Like most such agents, it learns a pod's address from the API server: until then, the pod is a stranger to others,
// and no policy holds it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	nfqueue "github.com/florianl/go-nfqueue/v2"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kube-network-policies/pkg/api"
	"sigs.k8s.io/kube-network-policies/pkg/network"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	"sigs.k8s.io/kube-network-policies/pkg/podinfo"
)

const queue = 100

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	node := flag.String("node", "", "this node's name")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *kubeconfig, *node); err != nil {
		fmt.Fprintln(os.Stderr, "network-policies:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, node string) error {
	engine, err := newEngine(ctx, kubeconfig, node)
	if err != nil {
		return err
	}
	packets, err := nfqueue.Open(&nfqueue.Config{
		NfQueue:      queue,
		Flags:        nfqueue.NfQaCfgFlagGSO,
		MaxPacketLen: 128,
		MaxQueueLen:  4096,
		Copymode:     nfqueue.NfQnlCopyPacket,
		WriteTimeout: 100 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	defer packets.Close()
	judge := func(attribute nfqueue.Attribute) int {
		verdict := nfqueue.NfDrop
		packet, err := network.ParsePacket(*attribute.Payload)
		if err == nil {
			if allowed, err := engine.EvaluatePacket(ctx, &packet); err == nil && allowed {
				verdict = nfqueue.NfAccept
			}
		}
		if verdict == nfqueue.NfDrop {
			fmt.Printf("dropped %s %s:%d > %s:%d\n", packet.Proto, packet.SrcIP, packet.SrcPort, packet.DstIP, packet.DstPort)
		}
		if err := packets.SetVerdict(*attribute.PacketID, verdict); err != nil {
			fmt.Fprintln(os.Stderr, "verdict:", err)
		}
		return 0
	}
	failed := func(err error) int {
		if ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "queue:", err)
		}
		return 0
	}
	if err := packets.RegisterWithErrorFunc(ctx, judge, failed); err != nil {
		return err
	}
	defer rules("-D")
	if err := rules("-I"); err != nil {
		return err
	}
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}

// newEngine judges by policies, pods and namespaces that it watches.
func newEngine(ctx context.Context, kubeconfig, node string) (*networkpolicy.PolicyEngine, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	resolver, err := podinfo.NewInformerResolver(pods.Informer())
	if err != nil {
		return nil, err
	}
	provider := podinfo.NewInformerProvider(pods, namespaces, nil, []podinfo.IPResolver{resolver})
	policies := networkpolicy.NewStandardNetworkPolicy(node, namespaces, pods, factory.Networking().V1().NetworkPolicies())
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return nil, fmt.Errorf("%v could not be listed", kind)
		}
	}
	return networkpolicy.NewPolicyEngine(provider, []api.PolicyEvaluator{policies}), nil
}

// rules adds or removes what puts each new connection between pods, and from pods to this node, into the queue. Packets
// from the node itself, such as the kubelet's probes, always pass, as Kubernetes asks.
func rules(change string) error {
	for _, chain := range []string{"FORWARD", "INPUT"} {
		rule := fmt.Sprintf("-w -t mangle %s %s -i cni0 -m conntrack --ctstate NEW -j NFQUEUE --queue-num %d --queue-bypass", change, chain, queue)
		if output, err := exec.Command("iptables", strings.Fields(rule)...).CombinedOutput(); err != nil {
			return fmt.Errorf("iptables %s: %w: %s", rule, err, output)
		}
	}
	return nil
}
