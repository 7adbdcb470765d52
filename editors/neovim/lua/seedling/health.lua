-- :checkhealth seedling
local M = {}

function M.check()
  local h, client = vim.health, require('seedling.client')
  h.start('Seedling')
  if vim.fn.has('nvim-0.10') == 0 then
    return h.error('Neovim 0.10 or newer is needed')
  end
  h.ok('Neovim ' .. tostring(vim.version()))
  local program = client.program()
  if not program then
    return h.error(client.hint())
  end
  local out = vim.system({ program, 'version' }, { text = true }):wait(5000)
  if out.code == 0 then
    h.ok(program .. ': ' .. vim.trim(out.stdout))
  else
    h.error(program .. ' does not run: ' .. vim.trim(out.stderr))
  end
  local running = vim.lsp.get_clients({ name = 'seedling' })
  if #running == 0 then
    h.info('no server runs: open a file of a type in the option filetypes')
  end
  for _, c in ipairs(running) do
    local state, message, model = client.state()
    local said = vim.tbl_filter(function(part)
      return part ~= ''
    end, { state, message, model ~= '' and 'model ' .. model or '' })
    h.ok(('server %d: %s, %d buffers'):format(c.id, table.concat(said, ', '), vim.tbl_count(c.attached_buffers)))
  end
end

return M
