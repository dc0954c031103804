-- The match of index.js in Lua.
local M = {}

function M.match_init(context, params)
  return { players = 0 }, 20, ""
end

function M.match_join_attempt(context, dispatcher, tick, state, presence, metadata)
  if metadata and metadata.refuse then
    return state, false, metadata.refuse
  end
  return state, true
end

function M.match_join(context, dispatcher, tick, state, presences)
  for _, p in ipairs(presences) do
    state.players = state.players + 1
    dispatcher.broadcast_message(10, "welcome", { p })
  end
  return state
end

function M.match_leave(context, dispatcher, tick, state, presences)
  for _, p in ipairs(presences) do
    state.players = state.players - 1
    dispatcher.broadcast_message(11, p.user_id)
  end
  return state
end

function M.match_loop(context, dispatcher, tick, state, messages)
  for _, m in ipairs(messages) do
    if m.op_code == 1 then -- back, as it came
      dispatcher.broadcast_message(1, m.data, { m.sender }, m.sender)
    elseif m.op_code == 2 then -- out
      dispatcher.match_kick({ m.sender })
    elseif m.op_code == 3 then -- back, as what may be lost
      dispatcher.broadcast_message(3, m.data, { m.sender }, nil, false)
    elseif m.op_code == 4 then -- to everybody, from the player
      dispatcher.broadcast_message(4, m.data, nil, m.sender)
    elseif m.op_code == 5 then -- the end
      dispatcher.broadcast_message(5, "bye")
      return nil
    elseif m.op_code == 6 then -- more than a datagram
      dispatcher.broadcast_message(6, string.rep("x", 20000), { m.sender })
    end
  end
  return state
end

function M.match_terminate(context, dispatcher, tick, state, grace_seconds)
  return state
end

function M.match_signal(context, dispatcher, tick, state, data)
  return state, data
end

return M
