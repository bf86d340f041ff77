-- What scripts find in Redis 7, and nothing else of Lua.
local function fields(names)
  local found = {}
  for name in names:gmatch('%S+') do
    found[name] = {}
  end
  return { fields = found }
end

stds.redis = {
  read_globals = {
    KEYS = { other_fields = true },
    ARGV = { other_fields = true },
    redis = fields('call pcall error_reply status_reply sha1hex log setresp set_repl breakpoint debug acl_check_cmd ' ..
      'LOG_DEBUG LOG_VERBOSE LOG_NOTICE LOG_WARNING REPL_ALL REPL_AOF REPL_REPLICA REPL_SLAVE REPL_NONE ' ..
      'REDIS_VERSION REDIS_VERSION_NUM'),
    cjson = fields('encode decode null encode_sparse_array encode_max_depth decode_max_depth encode_number_precision ' ..
      'encode_keep_buffer encode_invalid_numbers decode_invalid_numbers'),
    cmsgpack = fields('pack unpack unpack_one unpack_limit'),
    struct = fields('pack unpack size'),
    bit = fields('tobit tohex bnot band bor bxor lshift rshift arshift rol ror bswap'),
    os = fields('clock'),
    math = fields('abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min modf ' ..
      'pi pow rad random randomseed sin sinh sqrt tan tanh'),
    string = fields('byte char dump find format gmatch gsub len lower match rep reverse sub upper'),
    table = fields('concat insert maxn remove sort'),
    assert = {}, error = {}, getmetatable = {}, ipairs = {}, next = {}, pairs = {}, pcall = {}, rawequal = {},
    rawget = {}, select = {}, setmetatable = {}, tonumber = {}, tostring = {}, type = {}, unpack = {}, xpcall = {},
  },
}
std = 'redis'
