// A match in the shape that TypeScript compiles to, and an RPC that makes one of either runtime.
// probe.lua is the same match in Lua.

function InitModule(ctx, logger, nk, initializer) {
  initializer.registerMatch("probe_js", {
    matchInit: matchInit,
    matchJoinAttempt: matchJoinAttempt,
    matchJoin: matchJoin,
    matchLeave: matchLeave,
    matchLoop: matchLoop,
    matchTerminate: matchTerminate,
    matchSignal: matchSignal,
  });
  initializer.registerRpc("probe_create", create);
}

function create(ctx, logger, nk, payload) {
  return nk.matchCreate(payload, {});
}

function matchInit(ctx, logger, nk, params) {
  return { state: { players: 0 }, tickRate: 20, label: "" };
}

function matchJoinAttempt(ctx, logger, nk, dispatcher, tick, state, presence, metadata) {
  if (metadata.refuse) {
    return { state: state, accept: false, rejectMessage: metadata.refuse };
  }
  return { state: state, accept: true };
}

function matchJoin(ctx, logger, nk, dispatcher, tick, state, presences) {
  for (var i = 0; i < presences.length; i++) {
    state.players++;
    dispatcher.broadcastMessage(10, "welcome", [presences[i]], null);
  }
  return { state: state };
}

function matchLeave(ctx, logger, nk, dispatcher, tick, state, presences) {
  for (var i = 0; i < presences.length; i++) {
    state.players--;
    dispatcher.broadcastMessage(11, presences[i].userId, null, null);
  }
  return { state: state };
}

function matchLoop(ctx, logger, nk, dispatcher, tick, state, messages) {
  for (var i = 0; i < messages.length; i++) {
    var m = messages[i];
    switch (m.opCode) {
      case 1: // back, as it came
        dispatcher.broadcastMessage(1, m.data, [m.sender], m.sender);
        break;
      case 2: // out
        dispatcher.matchKick([m.sender]);
        break;
      case 3: // back, as what may be lost
        dispatcher.broadcastMessage(3, m.data, [m.sender], null, false);
        break;
      case 4: // to everybody, from the player
        dispatcher.broadcastMessage(4, m.data, null, m.sender);
        break;
      case 5: // the end
        dispatcher.broadcastMessage(5, "bye", null, null);
        return null;
      case 6: // more than a datagram
        dispatcher.broadcastMessage(6, new Array(20001).join("x"), [m.sender], null);
        break;
    }
  }
  return { state: state };
}

function matchTerminate(ctx, logger, nk, dispatcher, tick, state, graceSeconds) {
  return { state: state };
}

function matchSignal(ctx, logger, nk, dispatcher, tick, state, data) {
  return { state: state, data: data };
}
