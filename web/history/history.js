/* Missed events for pusher-js 4 to 8: see docs/history.md of Belfry.
 *
 *   belfryHistory(new Pusher(key, options))
 *
 * A channel that is subscribed to again after a pause asks for what was missed.
 * It gets it in order, and then the event "belfry:resume" with a verdict:
 * recovered, or why not. A service that does not know this ignores it.
 */
(function (root, factory) {
  if (typeof module === "object" && module.exports) module.exports = factory();
  else root.belfryHistory = factory();
})(typeof globalThis === "object" ? globalThis : this, function () {
  "use strict";

  var VERDICT = "belfry:resume";
  var MAX_SOCKETS = 16; // former socket ids that a service looks at

  // Options: storage (as window.sessionStorage, to go on after a page was loaded
  // anew), rewind (how many of the last events a first subscription asks for, a
  // number or a function of the channel's name), onVerdict(channel, verdict).
  function belfryHistory(pusher, options) {
    options = options || {};
    var key = "belfry-history:" + pusher.key;
    var state = load(options.storage, key); // {sockets: [id], channels: {name: {publisher: place}}}
    var saving = false;

    function save() {
      if (!options.storage || saving) return;
      saving = true;
      setTimeout(function () {
        saving = false;
        try {
          options.storage.setItem(key, JSON.stringify(state));
        } catch (e) {
          // Full, or forbidden: then nothing outlives this page.
        }
      }, 0);
    }

    function request(channel) {
      var marks = state.channels[channel];
      if (marks) return { position: values(marks).join(","), socket_ids: state.sockets };
      var rewind = typeof options.rewind === "function" ? options.rewind(channel) : options.rewind;
      return rewind > 0 ? { rewind: rewind } : {};
    }

    // pusher-js subscribes, and ends a subscription, by this method.
    var send = pusher.send_event;
    pusher.send_event = function (name, data, channel) {
      if (name === "pusher:subscribe" && data && data.channel) {
        data = copy(data);
        data.resume = request(data.channel);
      } else if (name === "pusher:unsubscribe" && data && data.channel) {
        delete state.channels[data.channel]; // on purpose: later is a new beginning
        save();
      }
      return send.call(pusher, name, data, channel);
    };

    // An event's place is a member that pusher-js does not hand on. It counts when
    // the application has had the event.
    function received(message) {
      var text = message && message.data;
      if (typeof text !== "string" || text.indexOf('"position') < 0 && text.indexOf(VERDICT) < 0) return;
      var event;
      try {
        event = JSON.parse(text);
      } catch (e) {
        return;
      }
      if (!event || !event.channel) return;
      if (event.event === VERDICT) judged(event.channel, event.data);
      else if (typeof event.position === "string" && state.channels[event.channel]) {
        mark(state.channels[event.channel], event.position);
        save();
      }
    }

    function judged(channel, data) {
      var verdict = typeof data === "string" ? JSON.parse(data) : data;
      var marks = (state.channels[channel] = {});
      verdict.position.split(",").forEach(function (place) {
        mark(marks, place);
      });
      save();
      if (options.onVerdict) options.onVerdict(channel, verdict);
    }

    function connected() {
      var id = pusher.connection.socket_id;
      if (id && state.sockets.indexOf(id) < 0) {
        state.sockets.push(id);
        state.sockets = state.sockets.slice(-MAX_SOCKETS);
        save();
      }
      var connection = pusher.connection.connection;
      if (connection && connection.transport) connection.transport.bind("message", received);
    }
    pusher.connection.bind("connected", connected);
    if (pusher.connection.state === "connected") connected();

    return {
      // position returns where the client is on a channel, or undefined.
      position: function (channel) {
        var marks = state.channels[channel];
        return marks && values(marks).join(",");
      },
      // forget makes the next subscription to a channel a new beginning.
      forget: function (channel) {
        delete state.channels[channel];
        save();
      },
    };
  }

  // mark notes the place of an event: its publisher, and a number with as many
  // digits as all others.
  function mark(marks, place) {
    var publisher = place.slice(0, place.lastIndexOf("-"));
    if (publisher && !(marks[publisher] >= place)) marks[publisher] = place;
  }

  function values(marks) {
    return Object.keys(marks).map(function (publisher) {
      return marks[publisher];
    });
  }

  function copy(object) {
    var result = {};
    Object.keys(object).forEach(function (name) {
      result[name] = object[name];
    });
    return result;
  }

  function load(storage, key) {
    try {
      var state = storage && JSON.parse(storage.getItem(key));
      if (state && Array.isArray(state.sockets) && state.channels) return state;
    } catch (e) {
      // What is there is none of ours.
    }
    return { sockets: [], channels: {} };
  }

  return belfryHistory;
});
