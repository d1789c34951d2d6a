package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/e2e/cluster/history"
	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// Settle waits until every client, every node and the backend agree with the
// truth, and returns how long that took. It fails the test for what must not
// have happened by then.
func (c *Cluster) Settle() time.Duration {
	c.t.Helper()
	took := c.await(2*service.Patience, "not settled", func() string {
		if differ := c.History.Unsettled(); len(differ) > 0 {
			return few(differ)
		}
		return few(c.answers())
	})
	c.checkFaults()
	return took
}

// answers returns how what the nodes answer to backends differs from the
// truth. It is not up to date while clients come and go.
func (c *Cluster) answers() []string {
	truth := c.History.Truth()
	var differ []string
	for _, n := range c.Serving() {
		for _, d := range n.answers(truth) {
			differ = append(differ, n.Name+" answers: "+d)
		}
	}
	return differ
}

// askedChannels is about how many channels are asked for one by one.
const askedChannels = 40

// answers returns how what one node answers differs from the truth.
func (n *Node) answers(truth history.Truth) []string {
	ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
	defer cancel()
	listed, err := n.backend.Channels(ctx, backend.ChannelsQuery{})
	if err != nil {
		return []string{err.Error()}
	}
	var differ []string
	for channel := range truth.Subscriptions {
		if _, ok := listed[channel]; !ok {
			differ = append(differ, channel+" is not listed")
		}
	}
	for channel := range listed {
		if _, user := protocol.UserOf(channel); truth.Subscriptions[channel] == 0 && !user {
			differ = append(differ, channel+" is listed, and nobody is there")
		}
	}
	step, i := 1+len(truth.Subscriptions)/askedChannels, 0
	for channel, count := range truth.Subscriptions {
		if i++; i%step != 0 {
			continue
		}
		if _, presence := truth.Members[channel]; presence {
			differ = append(differ, n.answersUsers(ctx, channel, truth.Users(channel))...)
		} else {
			differ = append(differ, n.answersCount(ctx, channel, count)...)
		}
	}
	slices.Sort(differ)
	return differ
}

// answersUsers asks for the users of a presence channel.
func (n *Node) answersUsers(ctx context.Context, channel string, want []string) []string {
	users, err := n.backend.ChannelUsers(ctx, channel)
	if err != nil {
		return []string{err.Error()}
	}
	got := make([]string, len(users))
	for i, u := range users {
		got[i] = u.ID
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return []string{fmt.Sprintf("%s has the users %s, want %s", channel, strings.Join(got, ","), strings.Join(want, ","))}
	}
	info, err := n.backend.Channel(ctx, channel, backend.UserCount)
	if err != nil {
		return []string{err.Error()}
	}
	if info.UserCount == nil || *info.UserCount != len(want) {
		return []string{fmt.Sprintf("the user_count of %s is %s, want %d", channel, number(info.UserCount), len(want))}
	}
	return nil
}

// answersCount asks for the number of subscriptions of another channel.
func (n *Node) answersCount(ctx context.Context, channel string, want int) []string {
	info, err := n.backend.Channel(ctx, channel, backend.SubscriptionCount)
	if err != nil {
		return []string{err.Error()}
	}
	if info.SubscriptionCount == nil || *info.SubscriptionCount != want {
		return []string{fmt.Sprintf("the subscription_count of %s is %s, want %d", channel, number(info.SubscriptionCount), want)}
	}
	return nil
}

// number is a number that may be missing, for people.
func number(n *int) string {
	if n == nil {
		return "missing"
	}
	return fmt.Sprint(*n)
}

// AwaitHooks waits until the backend was told exactly this of a channel.
func (c *Cluster) AwaitHooks(channel string, want ...string) time.Duration {
	c.t.Helper()
	return c.await(2*service.Patience, channel+": the backend was told something else", func() string {
		if got := c.History.Hooks(channel); !slices.Equal(got, want) {
			return fmt.Sprintf("%q, want %q", got, want)
		}
		return ""
	})
}
