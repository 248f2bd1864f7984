<#
.SYNOPSIS
Changes the mail server of an appliance in one transaction.
.EXAMPLE
./Change-MailServer.ps1 -Url https://127.0.0.1:8443 -MailServer mail.example.com
#>
#Requires -Version 7
param(
    [Parameter(Mandatory)] [string] $Url,
    [Parameter(Mandatory)] [string] $MailServer
)
$ErrorActionPreference = 'Stop'

$api = "$($Url.TrimEnd('/'))/api"
$user = $env:BOXWOOD_USER ?? 'admin'
$password = $env:BOXWOOD_PASSWORD ?? 'admin'
$basic = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes("${user}:${password}"))

# SkipCertificateCheck accepts any certificate. Leave it out against a real server.
$login = @{
    Uri = "$api/authentication"
    Headers = @{ Authorization = "Basic $basic" }
    SkipCertificateCheck = $true
    SessionVariable = 'session'
}
Invoke-RestMethod @login | Out-Null

function Invoke-Appliance {
    param([string] $Method, [string] $Path, $Body)
    $request = @{
        Method = $Method
        Uri = "$api/$Path"
        WebSession = $session
        SkipCertificateCheck = $true
    }
    if ($null -ne $Body) {
        $request.Body = $Body | ConvertTo-Json -Depth 16
        $request.ContentType = 'application/json'
    }
    elseif ($Method -eq 'POST') {
        $request.Body = ''
    }
    Invoke-RestMethod @request
}

try {
    Invoke-Appliance POST 'transaction' | Out-Null
    $email = (Invoke-Appliance GET 'configuration/management/email').body
    $email.smtp_server = @{ selection = 'fqdn'; value = $MailServer }
    Invoke-Appliance PUT 'configuration/management/email' $email | Out-Null
    Invoke-Appliance GET 'transaction/changes' | Out-Null
    Invoke-Appliance PUT 'transaction' @{ status = 'commit'; message = 'New mail server' } | Out-Null
}
finally {
    # Also rolls back a transaction that is still open.
    Invoke-Appliance DELETE 'authentication' | Out-Null
}
Write-Output "the mail server is now $MailServer"
